import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanBuilder, type Gpu } from '$lib/gpu';
import { adamw } from '$lib/kernels/adamw';
import { KernelError } from '$lib/kernels/errors';
import { gradNorm } from '$lib/kernels/grad-norm';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import { requestTestGpu } from '../dawn';
import { relativeError, runPlan, sameBits, uniform, upload } from './oracle/add-harness';
import { adamwStep, type AdamwSettings } from './oracle/adamw';

/** Twenty updates, each rounded a few times at 6e-8 of the parameter. */
const TOLERANCE = 2e-6;
/** The moments decay: only the last steps' roundings stay. */
const MOMENT_TOLERANCE = 2e-6;

const usual: AdamwSettings = {
  learningRate: 1e-2,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
};

describe('adamw', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  /** Runs the kernels for some steps from the same start as `expected`. */
  async function train(P: number, steps: number, settings: AdamwSettings, scale = 1) {
    const tensors = {
      params: upload(gpu, 'params', [P], uniform(P, 1)),
      grads: gpu.createTensor('grads', [P]),
      m: gpu.createTensor('m', [P]),
      v: gpu.createTensor('v', [P]),
      step: createStepState(gpu),
    };
    const record = (plan: PlanBuilder) => {
      const norm = gradNorm(plan, { label: '/norm', grads: tensors.grads, step: tensors.step });
      adamw(plan, { label: '/adamw', ...tensors, norm, ...settings });
      return [norm];
    };
    for (let t = 1; t <= steps; t++) {
      gpu.upload(
        tensors.grads,
        Float32Array.from(gradientsOf(P, t), (g) => g * scale),
      );
      uploadStepState(gpu, tensors.step, {
        dropoutSeed: 0,
        targetCount: 0,
        lossScale: 1,
        learningRate: rateOf(settings, t),
        biasCorrection1: 1 / (1 - settings.beta1 ** t),
        biasCorrection2: 1 / Math.sqrt(1 - settings.beta2 ** t),
        gradUnscale: 1 / scale,
      });
      await runPlan(gpu, record, 1);
    }
    const { params, m, v } = tensors;
    return Promise.all([params, m, v].map((tensor) => gpu.readFloats(tensor)));
  }

  /** Gradients of very different sizes, so that clipping acts in some steps and not in others. */
  const gradientsOf = (P: number, t: number) =>
    uniform(P, 100 + t).map((g, i) => Math.fround((g * 10 ** ((i % 5) - 3)) / (t % 3 ? 1 : 300)));
  /** A schedule: the rate differs from step to step, and is exact in f32. */
  const rateOf = (settings: AdamwSettings, t: number) =>
    Math.fround(settings.learningRate * (1 - t / 40));

  function expected(P: number, steps: number, settings: AdamwSettings) {
    const state = { params: uniform(P, 1), m: new Float64Array(P), v: new Float64Array(P) };
    for (let t = 1; t <= steps; t++) {
      const learningRate = rateOf(settings, t);
      adamwStep(state, gradientsOf(P, t), t, { ...settings, learningRate });
    }
    return state;
  }

  it.each<[string, number, Partial<AdamwSettings>]>([
    ['decay and clipping', 1000, {}],
    ['a number of parameters that is odd', 257, {}],
    ['one parameter', 1, {}],
    ['no clipping', 100, { maxGradNorm: 0 }],
    ['no decay', 100, { weightDecay: 0 }],
    ['a strong decay', 100, { weightDecay: 1 }],
    ['other betas and epsilon', 100, { beta1: 0.8, beta2: 0.95, epsilon: 1e-4 }],
  ])('follows the reference over 20 steps with %s', async (_, P, change) => {
    const settings = { ...usual, ...change };
    const [params, m, v] = await train(P, 20, settings);
    const reference = expected(P, 20, settings);
    expect(relativeError(params, reference.params)).toBeLessThan(TOLERANCE);
    expect(relativeError(m, reference.m)).toBeLessThan(MOMENT_TOLERANCE);
    expect(relativeError(v, reference.v)).toBeLessThan(MOMENT_TOLERANCE);
  });

  it.each([
    ['clipped', usual],
    ['not clipped', { ...usual, maxGradNorm: 0 }],
  ])('takes the scale of gradients away, to the bit: %s', async (_, settings) => {
    const plain = await train(300, 3, settings);
    const scaled = await train(300, 3, settings, 2 ** 12);
    plain.forEach((values, i) => expect(sameBits(values.buffer, scaled[i].buffer)).toBe(true));
  });

  it('leaves the same bits twice', async () => {
    const [first, second] = [await train(300, 3, usual), await train(300, 3, usual)];
    first.forEach((values, i) => expect(sameBits(values.buffer, second[i].buffer)).toBe(true));
  });

  it.each([
    [16, 8, 4],
    [17, 5, 7],
  ])('touches only its range: of %i, %i from %i', async (P, count, offset) => {
    const tensors = {
      params: upload(gpu, 'params', [P], new Float32Array(P).fill(1)),
      grads: upload(gpu, 'grads', [P], new Float32Array(P).fill(0.5)),
      m: gpu.createTensor('m', [P]),
      v: gpu.createTensor('v', [P]),
      norm: upload(gpu, 'norm', [1], [1]),
      step: createStepState(gpu),
    };
    uploadStepState(gpu, tensors.step, {
      dropoutSeed: 0,
      targetCount: 0,
      lossScale: 1,
      learningRate: 0.25,
      biasCorrection1: 10,
      biasCorrection2: 1 / Math.sqrt(1 - 0.999),
    });
    const range = { offset, count };
    const settings = { ...usual, weightDecay: 0, learningRateScale: 2, range };
    const record = (plan: PlanBuilder) => {
      adamw(plan, { label: '/adamw', ...tensors, ...settings });
      return [tensors.params, tensors.m];
    };
    const [params, m] = await runPlan(gpu, record, 1);
    // The first step of Adam is the rate, here twice 0.25, against the sign of the gradient.
    params.forEach((value, i) =>
      expect(value).toBeCloseTo(i >= offset && i < offset + count ? 0.5 : 1, 5),
    );
    m.forEach((value, i) => expect(value !== 0).toBe(i >= offset && i < offset + count));
  });

  it('refuses other shapes by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const flat = (label: string) => gpu.createTensor(label, [12]);
    const good = {
      label: '/adamw',
      params: flat('params'),
      grads: flat('grads'),
      m: flat('m'),
      v: flat('v'),
      norm: gpu.createTensor('norm', [1]),
      step: createStepState(gpu),
      ...usual,
    };
    const other = gpu.createTensor('other', [13]);
    expect(() => adamw(plan, good)).not.toThrow();
    expect(() => adamw(plan, { ...good, grads: other })).toThrow(KernelError);
    for (const name of ['grads', 'm', 'v', 'norm', 'step'])
      expect(() => adamw(plan, { ...good, [name]: other })).toThrow(
        new RegExp(`${name} \\(other\\)`),
      );
    expect(() => adamw(plan, { ...good, range: { offset: 8, count: 5 } })).toThrow(
      /ends at 13.*12 elements/,
    );
    expect(() => adamw(plan, { ...good, range: { offset: -1, count: 5 } })).toThrow(/offset is -1/);
  });
});
