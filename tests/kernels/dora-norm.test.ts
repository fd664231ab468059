/**
 * Plan: magnitude / ||W + s B A|| and 1 / ||W + s B A|| of every row against float64, for weights in f32, f16
 * and bf16, odd sizes and ranks; the same bits twice; rows of zeros; many rows; refusals by name.
 *
 * Tolerance 1e-5: a sum of `in` squares in f32 is off by some sqrt(in) * 6e-8, half of that in the root.
 * What a row is divided by has no gradient, so there is none to compare with.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanBuilder, type DType, type Gpu } from '$lib/gpu';
import { doraNorm } from '$lib/kernels/dora-norm';
import { KernelError } from '$lib/kernels/errors';
import { requestTestGpu } from '../dawn';
import * as oracle from './oracle/dora-norm';
import {
  matrix,
  randomMatrix,
  relativeError,
  roundedTo,
  runPlan,
  upload,
  type Matrix,
} from './oracle/matmul';

const TOLERANCE = 1e-5;

/** out, in, R: a workgroup of dora-norm.wgsl takes 64 columns at a time. */
const SIZES = [
  [1, 1, 1],
  [7, 11, 1],
  [17, 63, 3],
  [9, 64, 5],
  [31, 65, 8],
  [130, 33, 16],
  [5, 1021, 2],
] as const;

interface Problem {
  weight: Matrix;
  a: Matrix;
  b: Matrix;
  magnitude: Float64Array;
  scale: number;
}

describe('dora-norm', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const problem = ([outFeatures, inFeatures, R]: readonly [number, number, number]): Problem => ({
    weight: randomMatrix(outFeatures, inFeatures, 1),
    a: randomMatrix(R, inFeatures, 2),
    b: randomMatrix(outFeatures, R, 3),
    magnitude: randomMatrix(1, outFeatures, 4).data,
    scale: 1.7,
  });

  const run = async ({ weight, a, b, magnitude, scale }: Problem, dtype: DType = 'f32') => {
    const { rows: outFeatures, columns: inFeatures } = weight;
    const factor = gpu.createTensor('factor', [outFeatures]);
    const inverseNorm = gpu.createTensor('inverseNorm', [outFeatures]);
    await runPlan(gpu, (plan) => {
      doraNorm(plan, {
        label: '/q_proj/norm',
        weight: {
          tensor: upload(gpu, 'weight', weight, dtype),
          layout: 'out-in',
          inFeatures,
          outFeatures,
        },
        a: upload(gpu, 'a', a),
        b: upload(gpu, 'b', b),
        scale,
        magnitude: gpu.createTensor('m', [outFeatures], 'f32', Float32Array.from(magnitude)),
        factor,
        inverseNorm,
      });
      return [];
    });
    return {
      factor: await gpu.readFloats(factor),
      inverseNorm: await gpu.readFloats(inverseNorm),
    };
  };

  for (const dtype of ['f32', 'f16', 'bf16'] as DType[])
    it.each(SIZES)(
      `equals float64 for out %i, in %i, R %i in ${dtype}, the same bits twice`,
      async (...size) => {
        const p = problem(size);
        const found = await run(p, dtype);
        const weight = roundedTo(p.weight, dtype);
        const expected = oracle.doraNorm(weight, p.a, p.b, p.scale, p.magnitude);
        expect(relativeError(found.factor, expected.factor)).toBeLessThan(TOLERANCE);
        expect(relativeError(found.inverseNorm, expected.inverseNorm)).toBeLessThan(TOLERANCE);
        expect(await run(p, dtype)).toEqual(found);
      },
    );

  it('gives a factor of one where B is zero and the magnitude is the norm, as at the start', async () => {
    const p = problem([33, 70, 4]);
    p.b.data.fill(0);
    const { inverseNorm } = oracle.doraNorm(p.weight, p.a, p.b, p.scale, p.magnitude);
    p.magnitude = inverseNorm.map((value) => 1 / value);
    const { factor } = await run(p);
    // The norm's own rounding, once in each of magnitude and kernel.
    for (const value of factor) expect(Math.abs(value - 1)).toBeLessThan(1e-6);
  });

  it('gives a row of zeros a factor of zero, and its neighbours theirs', async () => {
    const p = problem([3, 20, 2]);
    p.weight.data.fill(0, 20, 40);
    p.b.data.fill(0, 2, 4);
    const { factor, inverseNorm } = await run(p);
    const expected = oracle.doraNorm(p.weight, p.a, p.b, p.scale, p.magnitude);
    expect([factor[1], inverseNorm[1]]).toEqual([0, 0]);
    for (const row of [0, 2]) expect(factor[row]).toBeCloseTo(expected.factor[row], 5);
  });

  it('folds a grid of more than 65535 rows', async () => {
    const rows = 65535 + 7;
    const p = {
      weight: matrix(rows, 2, new Float64Array(2 * rows).fill(3)),
      a: matrix(1, 2, [1, 1]),
      b: matrix(rows, 1, new Float64Array(rows).fill(1)),
      magnitude: new Float64Array(rows).fill(2),
      scale: 1,
    };
    const { factor } = await run(p);
    const expected = Math.fround(2 / Math.sqrt(32));
    for (const value of factor)
      if (!(Math.abs(value - expected) < 1e-6)) expect(value).toBe(expected);
  });

  it('refuses other shapes, layouts and types by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const tensor = gpu.createTensor('weight', [6, 8]);
    const vector = (label: string, count = 6) => gpu.createTensor(label, [count]);
    const good = {
      label: '/norm',
      weight: { tensor, layout: 'out-in', inFeatures: 8, outFeatures: 6 } as const,
      a: gpu.createTensor('A', [2, 8]),
      b: gpu.createTensor('B', [6, 2]),
      scale: 1,
      magnitude: vector('magnitude'),
      factor: vector('factor'),
      inverseNorm: vector('inverseNorm'),
    };
    expect(() => doraNorm(plan, good)).not.toThrow();
    const refused = (change: Partial<Parameters<typeof doraNorm>[1]>) =>
      expect(() => doraNorm(plan, { ...good, ...change }));
    refused({ a: gpu.createTensor('A', [2, 9]) }).toThrow(KernelError);
    refused({ a: gpu.createTensor('A', [2, 9]) }).toThrow(
      /\/norm \(dora-norm\): a \(A\).*\[2, 8\]/,
    );
    refused({ b: gpu.createTensor('B', [6, 3]) }).toThrow(/b \(B\).*\[6, 2\]/);
    refused({ magnitude: vector('short', 5) }).toThrow(/magnitude \(short\)/);
    refused({ factor: vector('short', 5) }).toThrow(/factor \(short\)/);
    refused({ inverseNorm: vector('short', 5) }).toThrow(/inverseNorm \(short\)/);
    const whole = gpu.createTensor('whole', [6, 8], 'i32');
    refused({ weight: { ...good.weight, tensor: whole } }).toThrow(/weight whole is i32/);
    const turned = { tensor, layout: 'in-out', inFeatures: 6, outFeatures: 8 } as const;
    refused({ weight: turned }).toThrow(/a weight \(out, in\) is needed/);
  });
});
