/**
 * Plan: forward and all gradients for ranks from 1 to 256 against float64, and against finite differences
 * of the forward kernel; dX written, accumulated or left out; a path that is written instead of added; the
 * gradient of the input alone, for factors that are not trained; the same bits twice; refusals by name.
 *
 * Tolerance 1e-5 of the root mean square: two f32 products in a row, each within 1e-6 or so. The path is
 * linear in each of x, A and B, so a central difference of any step has no truncation error.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu, Tensor } from '$lib/gpu';
import { loraBackward, loraBackwardInput, loraForward } from '$lib/kernels/lora';
import { requestTestGpu } from '../dawn';
import {
  matrix,
  product,
  randomMatrix,
  relativeError,
  runPlan,
  scaledSum,
  transposed,
  upload,
} from './oracle/matmul';

const TOLERANCE = 1e-5;

/** N, in, out, R */
const SIZES = [
  [1, 1, 1, 1],
  [5, 7, 11, 1],
  [13, 17, 9, 3],
  [33, 40, 31, 5],
  [64, 48, 65, 8],
  [129, 130, 33, 16],
  [300, 33, 64, 8],
  [31, 65, 37, 256],
] as const;

describe('LoRA path', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const problem = ([N, inFeatures, outFeatures, R]: readonly [number, number, number, number]) => ({
    x: randomMatrix(N, inFeatures, 1),
    a: randomMatrix(R, inFeatures, 2),
    b: randomMatrix(outFeatures, R, 3),
    out: randomMatrix(N, outFeatures, 4),
    dOut: randomMatrix(N, outFeatures, 5),
    dA: randomMatrix(R, inFeatures, 6),
    dB: randomMatrix(outFeatures, R, 7),
    dX: randomMatrix(N, inFeatures, 8),
    scale: 1.7,
  });
  type Problem = ReturnType<typeof problem>;

  /** Everything that forward and backward write. */
  const run = async (p: Problem, accumulate?: boolean) => {
    const on = {} as Record<Exclude<keyof Problem, 'scale'>, Tensor>;
    for (const name of ['x', 'a', 'b', 'out', 'dOut', 'dA', 'dB', 'dX'] as const)
      on[name] = upload(gpu, name, p[name]);
    const [h] = await runPlan(gpu, (plan) => {
      const { h } = loraForward(plan, { label: '/q_proj', ...on, scale: p.scale });
      loraBackward(plan, { label: '/q_proj', ...on, h, scale: p.scale, accumulate });
      return [h];
    });
    const read = (tensor: Tensor) => gpu.readFloats(tensor);
    const result = {
      h,
      out: await read(on.out),
      dA: await read(on.dA),
      dB: await read(on.dB),
      dX: await read(on.dX),
    };
    for (const tensor of Object.values(on)) gpu.destroyTensor(tensor);
    return result;
  };

  const oracle = (p: Problem, accumulate: boolean) => {
    const h = product(p.x, transposed(p.a));
    const dH = scaledSum(p.scale, product(p.dOut, p.b), matrix(h.rows, h.columns));
    const dX = product(dH, p.a);
    return {
      h: h.data,
      out: scaledSum(p.scale, product(h, transposed(p.b)), p.out).data,
      dA: scaledSum(1, product(transposed(dH), p.x), p.dA).data,
      dB: scaledSum(p.scale, product(transposed(p.dOut), h), p.dB).data,
      dX: accumulate ? scaledSum(1, dX, p.dX).data : dX.data,
    };
  };

  for (const size of SIZES)
    it(`equals float64 at N ${size[0]}, in ${size[1]}, out ${size[2]}, R ${size[3]}; the same bits twice`, async () => {
      const p = problem(size);
      for (const accumulate of [true, false]) {
        const expected = oracle(p, accumulate);
        const actual = await run(p, accumulate);
        for (const name of ['h', 'out', 'dA', 'dB', 'dX'] as const)
          expect(relativeError(actual[name], expected[name]), name).toBeLessThan(TOLERANCE);
        expect(await run(p, accumulate)).toEqual(actual);
      }
    });

  it('gradients equal finite differences of the forward kernel', async () => {
    const p = problem([6, 5, 7, 3]);
    for (const name of ['dA', 'dB', 'dX'] as const) p[name].data.fill(0);
    const gradients = await run(p);
    /** Sum of out * dOut: dOut is its gradient. */
    const loss = async () => {
      const { out } = await run(p);
      return out.reduce((sum, value, i) => sum + value * p.dOut.data[i], 0);
    };
    const step = 0.5;
    for (const [values, gradient] of [
      [p.a, gradients.dA],
      [p.b, gradients.dB],
      [p.x, gradients.dX],
    ] as const) {
      const slopes = new Float64Array(values.data.length);
      for (let i = 0; i < slopes.length; i++) {
        const at = values.data[i];
        values.data[i] = at + step;
        const above = await loss();
        values.data[i] = at - step;
        const below = await loss();
        values.data[i] = at;
        slopes[i] = (above - below) / (2 * step);
      }
      expect(relativeError(gradient, slopes)).toBeLessThan(1e-4);
    }
  });

  it('leaves dX out where nothing below is trained', async () => {
    const p = problem([9, 8, 7, 2]);
    const dA = gpu.createTensor('dA', [2, 8]);
    const dB = gpu.createTensor('dB', [7, 2]);
    const base = {
      label: '/q_proj',
      scale: p.scale,
      a: upload(gpu, 'a', p.a),
      b: upload(gpu, 'b', p.b),
    };
    await runPlan(gpu, (plan) => {
      const x = upload(gpu, 'x', p.x);
      const { h } = loraForward(plan, { ...base, x, out: upload(gpu, 'out', p.out) });
      const before = plan.dispatchCount;
      loraBackward(plan, { ...base, x, h, dOut: upload(gpu, 'dOut', p.dOut), dA, dB });
      expect(plan.dispatchCount - before).toBe(3);
      return [dA];
    });
    const zeroed = { ...p, dA: matrix(2, 8), dB: matrix(7, 2) };
    expect(relativeError(await gpu.readFloats(dA), oracle(zeroed, true).dA)).toBeLessThan(
      TOLERANCE,
    );
    expect(relativeError(await gpu.readFloats(dB), oracle(zeroed, true).dB)).toBeLessThan(
      TOLERANCE,
    );
  });

  it('writes the path over what was there where it is not to be added', async () => {
    const p = problem([13, 17, 9, 3]);
    const [found] = await runPlan(gpu, (plan) => {
      const out = upload(gpu, 'out', p.out);
      loraForward(plan, {
        label: '/q_proj',
        x: upload(gpu, 'x', p.x),
        a: upload(gpu, 'a', p.a),
        b: upload(gpu, 'b', p.b),
        scale: p.scale,
        out,
        accumulate: false,
      });
      return [out];
    });
    const alone = oracle({ ...p, out: matrix(13, 9) }, true).out;
    expect(relativeError(found, alone)).toBeLessThan(TOLERANCE);
  });

  const inputGradient = async (p: Problem) => {
    const [found] = await runPlan(gpu, (plan) => {
      const dX = upload(gpu, 'dX', p.dX);
      loraBackwardInput(plan, {
        label: '/q_proj/initial',
        dOut: upload(gpu, 'dOut', p.dOut),
        a: upload(gpu, 'a', p.a),
        b: upload(gpu, 'b', p.b),
        scale: p.scale,
        dX,
      });
      return [dX];
    });
    return found;
  };

  it.each(SIZES)(
    'adds the gradient of the input alone at N %i, in %i, out %i, R %i, the same bits twice',
    async (...size) => {
      const p = { ...problem(size), scale: -0.6 };
      const found = await inputGradient(p);
      expect(relativeError(found, oracle(p, true).dX)).toBeLessThan(TOLERANCE);
      expect(await inputGradient(p)).toEqual(found);
      // The same path with trained factors: the same gradient, bit for bit.
      expect((await run(p, true)).dX).toEqual(found);
    },
  );

  it('refuses factors of different ranks for the gradient of the input, by name', async () => {
    const p = problem([4, 6, 5, 2]);
    await inputGradient(p);
    await expect(inputGradient({ ...p, b: randomMatrix(5, 3, 1) })).rejects.toThrow(
      /lora_A \(a\) has shape \[2,6\] and lora_B \(b\) \[5,3\]/,
    );
  });

  it('refuses an A and a B of different ranks, by name', async () => {
    const forward = (rank: number) =>
      runPlan(gpu, (plan) => {
        const out = gpu.createTensor('out', [4, 5]);
        loraForward(plan, {
          label: '/q_proj',
          x: gpu.createTensor('x', [4, 6]),
          a: gpu.createTensor('A', [2, 6]),
          b: gpu.createTensor('B', [5, rank]),
          scale: 1,
          out,
        });
        return [out];
      });
    await forward(2);
    await expect(forward(3)).rejects.toThrow(
      /lora_A \(A\) has shape \[2,6\] and lora_B \(B\) \[5,3\]/,
    );
  });
});
