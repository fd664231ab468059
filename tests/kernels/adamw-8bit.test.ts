/**
 * AdamW with 8-bit moments against bitsandbytes' arithmetic written by hand (tests/reference/adamw8bit.py) and
 * against the library's own AdamW8bit (bitsandbytes_check.py), each step from the state before it; a parameter that fits blocks and one that does not; groups; clipping; one bit
 * for the same input; refusals by name.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dynamicMap } from '$lib/formats';
import type { Gpu, PlanBuilder } from '$lib/gpu';
import {
  adamw8bit,
  blocksOf,
  createBlockTensors,
  ZERO_CODES,
  type Adamw8bitOptions,
} from '$lib/kernels/adamw-8bit';
import { gradNorm } from '$lib/kernels/grad-norm';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import { requestTestGpu } from '../dawn';
import { goldenPath, readBytesOf, readJson, readTensors } from '../goldens';
import { runPlan } from './oracle/add-harness';

const FILE = goldenPath('arguments/adamw-8bit/steps.safetensors');
const SETTINGS = readJson<Record<string, number>>('arguments/adamw-8bit/config.json');
const SIZE = 5000;
const BLOCKS = Math.ceil(SIZE / 256);

describe('adamw8bit', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  interface State {
    params: Float32Array;
    mCodes: Uint8Array;
    vCodes: Uint8Array;
    mAbsmax: Float32Array;
    vAbsmax: Float32Array;
  }

  const start = (params: Float32Array, blocks: number): State => ({
    params,
    mCodes: new Uint8Array(blocks * 256).fill(ZERO_CODES.m),
    vCodes: new Uint8Array(blocks * 256).fill(ZERO_CODES.v),
    mAbsmax: new Float32Array(blocks),
    vAbsmax: new Float32Array(blocks),
  });

  const join = <Data extends Uint8Array | Float32Array>(a: Data, b: Data): Data => {
    const both = new (a.constructor as new (length: number) => Data)(a.length + b.length);
    both.set(a);
    both.set(b, a.length);
    return both;
  };

  /** One step of the kernel from a state that is given. */
  async function takeStep(
    before: State,
    gradient: Float32Array,
    t: number,
    changes: Partial<Adamw8bitOptions> = {},
    parts = [{ offset: 0, count: before.params.length }],
    scale = 1,
  ): Promise<State> {
    const P = before.params.length;
    const state = createBlockTensors(gpu, parts.flatMap(blocksOf));
    gpu.upload(state.codes, join(before.mCodes, before.vCodes));
    gpu.upload(state.absmax, join(before.mAbsmax, before.vAbsmax));
    const params = gpu.createTensor('params', [P], 'f32', before.params);
    const grads = gpu.createTensor(
      'grads',
      [P],
      'f32',
      gradient.map((g) => g * scale),
    );
    const step = createStepState(gpu);
    uploadStepState(gpu, step, {
      ...{ dropoutSeed: 0, targetCount: 0, lossScale: 1, learningRate: SETTINGS.learning_rate },
      biasCorrection1: 1 / (1 - SETTINGS.adam_beta1 ** t),
      biasCorrection2: 1 / Math.sqrt(1 - SETTINGS.adam_beta2 ** t),
      gradUnscale: 1 / scale,
    });
    const record = (plan: PlanBuilder) => {
      const norm = gradNorm(plan, { label: '/norm', grads, step });
      adamw8bit(plan, {
        ...{ label: '/adamw', params, grads, norm, step, ...state },
        beta1: SETTINGS.adam_beta1,
        beta2: SETTINGS.adam_beta2,
        epsilon: SETTINGS.adam_epsilon,
        weightDecay: SETTINGS.weight_decay,
        maxGradNorm: 0,
        ...changes,
      });
      return [norm];
    };
    await runPlan(gpu, record, 1);
    const codes = new Uint8Array(await gpu.readBytes(state.codes));
    const absmax = await gpu.readFloats(state.absmax);
    const after = {
      params: await gpu.readFloats(params),
      mCodes: codes.slice(0, codes.length / 2),
      vCodes: codes.slice(codes.length / 2),
      mAbsmax: absmax.slice(0, absmax.length / 2),
      vAbsmax: absmax.slice(absmax.length / 2),
    };
    for (const tensor of [params, grads, step, ...Object.values(state)]) gpu.destroyTensor(tensor);
    return after;
  }

  const golden = readTensors(FILE);
  const bytes = readBytesOf(FILE);
  const goldenState = (t: number): State => {
    const padded = (name: string, zero: number) => {
      const codes = new Uint8Array(BLOCKS * 256).fill(zero);
      codes.set(bytes.get(`${t}.${name}`)!);
      return codes;
    };
    if (t === 0) return start(golden.get('initial')!.floats, BLOCKS);
    return {
      params: golden.get(`${t}.parameter`)!.floats,
      mCodes: padded('m_codes', ZERO_CODES.m),
      vCodes: padded('v_codes', ZERO_CODES.v),
      mAbsmax: golden.get(`${t}.m_absmax`)!.floats,
      vAbsmax: golden.get(`${t}.v_absmax`)!.floats,
    };
  };
  const gradientOf = (t: number) => golden.get(`${t}.gradient`)!.floats;

  /** A quotient beside a midpoint may round to the neighbour: few do, and none to another. */
  const expectCodes = (found: Uint8Array, expected: Uint8Array, where: string, most = 5) => {
    let differing = 0;
    found.forEach((code, i) => {
      if (code === expected[i]) return;
      differing++;
      expect(Math.abs(code - expected[i]), `${where} of element ${i}`).toBe(1);
    });
    expect(differing, where).toBeLessThanOrEqual(most);
  };

  const expectClose = (found: Float32Array, expected: Float32Array, tolerance: number) =>
    found.forEach((value, i) =>
      expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(
        tolerance * Math.max(Math.abs(expected[i]), 1e-3),
      ),
    );

  it('knows the code of zero', () => {
    expect(dynamicMap(true)[ZERO_CODES.m]).toBe(0);
    expect(dynamicMap(false)[ZERO_CODES.v]).toBe(0);
  });

  it.each([1, 2, 3, 4, 5])("is bitsandbytes' step %i from the state before it", async (t) => {
    const found = await takeStep(goldenState(t - 1), gradientOf(t), t);
    const expected = goldenState(t);
    expectCodes(found.mCodes, expected.mCodes, 'm');
    expectCodes(found.vCodes, expected.vCodes, 'v');
    // A handful of f32 roundings, and WGSL's division and square root of 2.5 ulp.
    expectClose(found.mAbsmax, expected.mAbsmax, 1e-6);
    expectClose(found.vAbsmax, expected.vAbsmax, 1e-6);
    expectClose(found.params, expected.params, 2e-6);
    // The block that never gets a gradient moves by its decay alone, and its moments stay zero.
    expect([...found.mCodes.subarray(512, 768)].every((code) => code === ZERO_CODES.m)).toBe(true);
    expect([found.mAbsmax[2], found.vAbsmax[2]]).toEqual([0, 0]);
  });

  describe('beside the AdamW8bit of the library itself', () => {
    const library = goldenPath('bitsandbytes.safetensors');
    const tensors = readTensors(library);
    const floats = (name: string) => tensors.get(`adamw.${name}`)!.floats;
    const COUNT = 300;
    const stateAfter = (t: number): State => {
      if (t === 0) return start(floats('initial'), 2);
      const padded = (name: string, zero: number) => {
        const codes = new Uint8Array(512).fill(zero);
        codes.set(tensors.get(`adamw.${t}.${name}`)!.bytes);
        return codes;
      };
      return {
        params: floats(`${t}.parameter`),
        mCodes: padded('m_codes', ZERO_CODES.m),
        vCodes: padded('v_codes', ZERO_CODES.v),
        mAbsmax: floats(`${t}.m_absmax`),
        vAbsmax: floats(`${t}.v_absmax`),
      };
    };

    it.each([1, 2, 3, 4])('takes step %i', async (t) => {
      const gradient = floats(`${t}.gradient`);
      const found = await takeStep(stateAfter(t - 1), gradient, t, { weightDecay: 0 });
      const expected = stateAfter(t);
      // On the processor the library lets a negative m become zero; its CUDA kernel and ours do not.
      const mCodes = found.mCodes.map((code, i) =>
        code === 126 && expected.mCodes[i] === ZERO_CODES.m ? ZERO_CODES.m : code,
      );
      expectCodes(mCodes, expected.mCodes, 'm', 1);
      expectCodes(found.vCodes, expected.vCodes, 'v', 1);
      expectClose(found.mAbsmax, expected.mAbsmax, 2e-6);
      // There it has 1 - beta2 of numbers in f64, here as in CUDA of numbers in f32: 1.3e-5 apart.
      expectClose(found.vAbsmax, expected.vAbsmax, 3e-5);
      const { learning_rate } = SETTINGS;
      for (let i = 0; i < COUNT; i++) {
        const apart = Math.abs(found.params[i] - expected.params[i]);
        expect(apart, `parameter ${i}`).toBeLessThan(2e-4 * learning_rate + 4 * 1.2e-7);
        // A control: the step is far larger than that.
        if (Math.abs(gradient[i]) > 0.1 && t === 1)
          expect(Math.abs(found.params[i] - floats('initial')[i])).toBeGreaterThan(
            0.9 * learning_rate,
          );
      }
    });
  });

  it('goes through five steps of its own', async () => {
    let state = goldenState(0);
    for (let t = 1; t <= 5; t++) state = await takeStep(state, gradientOf(t), t);
    // A code off by one changes the moment by a few percent, and the step of that element.
    const off = state.params.filter((value, i) => {
      const expected = golden.get('5.parameter')!.floats[i];
      return Math.abs(value - expected) > 2e-6 * Math.max(1, Math.abs(expected));
    });
    expect(off.length).toBeLessThan(25);
    const again = await (async () => {
      let same = goldenState(0);
      for (let t = 1; t <= 5; t++) same = await takeStep(same, gradientOf(t), t);
      return same;
    })();
    expect(again).toEqual(state);
  });

  it('leaves alone what lies between its blocks and in other groups', async () => {
    const parts = [
      { offset: 0, count: 300 },
      { offset: 320, count: 257 },
      { offset: 640, count: 1 },
    ];
    const P = 704;
    const params = Float32Array.from({ length: P }, (_, i) => 1 + i / P);
    const gradient = Float32Array.from({ length: P }, (_, i) => Math.sin(i));
    const before = start(params, 5);
    const range = { first: 2, count: 3 };
    const after = await takeStep(before, gradient, 1, { range }, parts);
    const moved = Array.from(after.params, (value, i) => value !== params[i]);
    const inside = (i: number) => (i >= 320 && i < 577) || i === 640;
    expect(moved.every((isMoved, i) => isMoved === inside(i))).toBe(true);
    expect(Array.from(after.mAbsmax, (value) => value > 0)).toEqual([
      false,
      false,
      true,
      true,
      true,
    ]);
    expect(after.mCodes.subarray(0, 512)).toEqual(before.mCodes.subarray(0, 512));
    // Codes of a short block's missing elements stay those of zero.
    expect([...after.mCodes.subarray(4 * 256 + 1)].every((code) => code === ZERO_CODES.m)).toBe(
      true,
    );
  });

  it('clips by the global norm and scales the rate of a group', async () => {
    const before = goldenState(0);
    const gradient = gradientOf(1);
    const norm = Math.hypot(...gradient);
    const clipped = await takeStep(before, gradient, 1, { maxGradNorm: 0.5 });
    const factor = Math.fround(0.5 / (norm + 1e-6));
    const scaled = await takeStep(
      before,
      gradient.map((g) => g * factor),
      1,
    );
    expectClose(clipped.mAbsmax, scaled.mAbsmax, 1e-5);
    expectClose(clipped.params, scaled.params, 1e-5);
    // The scale of gradients goes away, to the bit.
    const grown = await takeStep(before, gradient, 1, { maxGradNorm: 0.5 }, undefined, 2 ** 12);
    expect(grown).toEqual(clipped);
    const fast = await takeStep(before, gradient, 1, { learningRateScale: 3, weightDecay: 0 });
    const slow = await takeStep(before, gradient, 1, { weightDecay: 0 });
    for (const i of [0, 1, 100, 4999])
      expect((fast.params[i] - before.params[i]) / (slow.params[i] - before.params[i])).toBeCloseTo(
        3,
        2,
      );
  });

  it('refuses a range beyond its blocks, by name', async () => {
    const refused = takeStep(goldenState(0), gradientOf(1), 1, {
      range: { first: 10, count: BLOCKS },
    });
    await expect(refused).rejects.toThrow(/range ends at 30, there are 20 blocks/);
  });
});
