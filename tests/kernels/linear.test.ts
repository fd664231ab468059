/**
 * Plan: forward, gradient of the input, gradient of the weight and of the bias, for both layouts and all
 * storage types, against float64 and against finite differences of the forward kernel; residual add;
 * refusals by name, each beside a call that is taken.
 *
 * Tolerance 1e-5 of the root mean square, as for the product underneath. The layer is linear, so a central
 * difference with a step of 1/2 has no truncation error; what is left is the rounding of the outputs
 * (2^-24 each), which a sum over a few hundred outputs keeps below 1e-4.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DType, Gpu } from '$lib/gpu';
import {
  biasBackward,
  linearBackwardInput,
  linearBackwardWeight,
  linearForward,
} from '$lib/kernels/linear';
import type { WeightMatrix } from '$lib/kernels/weight';
import { requestTestGpu } from '../dawn';
import {
  columnSums,
  matrix,
  product,
  randomMatrix,
  relativeError,
  roundedTo,
  runPlan,
  scaledSum,
  transposed,
  upload,
  withBias,
  type Matrix,
} from './oracle/matmul';

const TOLERANCE = 1e-5;
const LAYOUTS = ['out-in', 'in-out'] as const;
const DTYPES: DType[] = ['f32', 'f16', 'bf16'];

/** N, in, out */
const SIZES = [
  [1, 1, 1],
  [2, 7, 5],
  [17, 31, 33],
  [33, 65, 47],
  [40, 96, 64],
] as const;

describe('linear', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  /** @param w (out, in) */
  const weightOf = (w: Matrix, layout: WeightMatrix['layout'], dtype: DType): WeightMatrix => ({
    tensor: upload(gpu, 'weight', layout === 'out-in' ? w : transposed(w), dtype),
    layout,
    inFeatures: w.columns,
    outFeatures: w.rows,
  });

  for (const layout of LAYOUTS)
    for (const dtype of DTYPES)
      it(`forward and gradients equal float64: ${layout}, ${dtype}`, async () => {
        for (const [N, inFeatures, outFeatures] of SIZES) {
          const x = randomMatrix(N, inFeatures, 1);
          const w = roundedTo(randomMatrix(outFeatures, inFeatures, 2), dtype);
          const bias = randomMatrix(1, outFeatures, 3);
          const dOut = randomMatrix(N, outFeatures, 4);
          const gradients = {
            w: randomMatrix(outFeatures, inFeatures, 5),
            bias: randomMatrix(1, outFeatures, 6),
          };
          const weight = weightOf(w, layout, dtype);
          const gx = upload(gpu, 'x', x);
          const gOut = upload(gpu, 'dOut', dOut);
          const gBias = gpu.createTensor(
            'bias',
            [outFeatures],
            'f32',
            Float32Array.from(bias.data),
          );
          const dWeight = upload(gpu, 'dWeight', gradients.w);
          const dBias = gpu.createTensor(
            'dBias',
            [outFeatures],
            'f32',
            Float32Array.from(gradients.bias.data),
          );
          const [out, dX] = await runPlan(gpu, (plan) => {
            linearBackwardWeight(plan, { label: '/dW', dOut: gOut, x: gx, dWeight });
            biasBackward(plan, { label: '/db', dOut: gOut, dBias });
            return [
              linearForward(plan, { label: '/layer', x: gx, weight, bias: gBias }),
              linearBackwardInput(plan, { label: '/dX', dOut: gOut, weight }),
            ];
          });
          const name = `N ${N} in ${inFeatures} out ${outFeatures}`;
          expect(
            relativeError(out, withBias(product(x, transposed(w)), bias.data).data),
            name,
          ).toBeLessThan(TOLERANCE);
          expect(relativeError(dX, product(dOut, w).data), name).toBeLessThan(TOLERANCE);
          expect(
            relativeError(
              await gpu.readFloats(dWeight),
              scaledSum(1, product(transposed(dOut), x), gradients.w).data,
            ),
            name,
          ).toBeLessThan(TOLERANCE);
          const sums = columnSums(dOut).map((sum, i) => sum + gradients.bias.data[i]);
          expect(relativeError(await gpu.readFloats(dBias), sums), name).toBeLessThan(TOLERANCE);
        }
      });

  it('adds to the residual in forward, and to an earlier gradient in backward', async () => {
    const [N, inFeatures, outFeatures] = [19, 23, 29];
    const x = randomMatrix(N, inFeatures, 1);
    const w = randomMatrix(outFeatures, inFeatures, 2);
    const residual = randomMatrix(N, outFeatures, 3);
    const dOut = randomMatrix(N, outFeatures, 4);
    const earlier = randomMatrix(N, inFeatures, 5);
    const weight = weightOf(w, 'out-in', 'f32');
    const out = upload(gpu, 'residual', residual);
    const dX = upload(gpu, 'dX', earlier);
    await runPlan(gpu, (plan) => [
      linearForward(plan, {
        label: '/layer',
        x: upload(gpu, 'x', x),
        weight,
        out,
        accumulate: true,
      }),
      linearBackwardInput(plan, {
        label: '/dX',
        dOut: upload(gpu, 'dOut', dOut),
        weight,
        dX,
        accumulate: true,
      }),
    ]);
    expect(
      relativeError(
        await gpu.readFloats(out),
        scaledSum(1, product(x, transposed(w)), residual).data,
      ),
    ).toBeLessThan(TOLERANCE);
    expect(
      relativeError(await gpu.readFloats(dX), scaledSum(1, product(dOut, w), earlier).data),
    ).toBeLessThan(TOLERANCE);
  });

  it('adds the columns of a bias in a fixed order, from one row to a thousand', async () => {
    for (const [rows, columns] of [
      [1, 1],
      [1, 17],
      [15, 16],
      [16, 15],
      [17, 33],
      [1000, 5],
    ]) {
      const dOut = randomMatrix(rows, columns, rows);
      const gOut = upload(gpu, 'dOut', dOut);
      const run = async () => {
        const dBias = gpu.createTensor('dBias', [columns]);
        const [sums] = await runPlan(gpu, (plan) => {
          biasBackward(plan, { label: '/db', dOut: gOut, dBias });
          return [dBias];
        });
        return sums;
      };
      const sums = await run();
      expect(relativeError(sums, columnSums(dOut))).toBeLessThan(TOLERANCE);
      expect(await run()).toEqual(sums);
    }
  });

  it('gradients equal finite differences of the forward kernel', async () => {
    const [N, inFeatures, outFeatures] = [6, 5, 7];
    const x = randomMatrix(N, inFeatures, 1);
    const w = randomMatrix(outFeatures, inFeatures, 2);
    const bias = randomMatrix(1, outFeatures, 3);
    const dOut = randomMatrix(N, outFeatures, 4);
    /** Sum of out * dOut: dOut is its gradient. */
    const loss = async () => {
      const [out] = await runPlan(gpu, (plan) => [
        linearForward(plan, {
          label: '/layer',
          x: upload(gpu, 'x', x),
          weight: weightOf(w, 'out-in', 'f32'),
          bias: gpu.createTensor('bias', [outFeatures], 'f32', Float32Array.from(bias.data)),
        }),
      ]);
      return out.reduce((sum, value, i) => sum + value * dOut.data[i], 0);
    };
    const weight = weightOf(w, 'out-in', 'f32');
    const gOut = upload(gpu, 'dOut', dOut);
    const dWeight = gpu.createTensor('dWeight', [outFeatures, inFeatures]);
    const dBias = gpu.createTensor('dBias', [outFeatures]);
    const [dX] = await runPlan(gpu, (plan) => {
      linearBackwardWeight(plan, { label: '/dW', dOut: gOut, x: upload(gpu, 'x', x), dWeight });
      biasBackward(plan, { label: '/db', dOut: gOut, dBias });
      return [linearBackwardInput(plan, { label: '/dX', dOut: gOut, weight })];
    });
    const step = 0.5;
    for (const [values, gradient] of [
      [x, dX],
      [w, await gpu.readFloats(dWeight)],
      [bias, await gpu.readFloats(dBias)],
    ] as const) {
      const slopes = matrix(values.rows, values.columns);
      for (let i = 0; i < values.data.length; i++) {
        const at = values.data[i];
        values.data[i] = at + step;
        const above = await loss();
        values.data[i] = at - step;
        const below = await loss();
        values.data[i] = at;
        slopes.data[i] = (above - below) / (2 * step);
      }
      expect(relativeError(gradient, slopes.data)).toBeLessThan(1e-4);
    }
  });

  describe('refuses, by name, what does not fit', () => {
    const x = () => gpu.createTensor('input', [4, 6]);
    const good = (): WeightMatrix => ({
      tensor: gpu.createTensor('model.q_proj.weight', [5, 6], 'bf16'),
      layout: 'out-in',
      inFeatures: 6,
      outFeatures: 5,
    });
    const forward = (weight: WeightMatrix) =>
      runPlan(gpu, (plan) => [linearForward(plan, { label: '/q_proj', x: x(), weight })]);

    it('a weight whose shape is not what its layout says', async () => {
      await forward(good());
      await expect(forward({ ...good(), layout: 'in-out' })).rejects.toThrow(
        /q_proj: weight model.q_proj.weight has shape \[5,6\], its layout in-out asks for \[6,5\]/,
      );
    });
    it('a weight of integers', async () => {
      await forward(good());
      const ids = gpu.createTensor('ids', [5, 6], 'i32');
      await expect(forward({ ...good(), tensor: ids })).rejects.toMatchObject({ code: 'dtype' });
    });
    it('a bias gradient of another width', async () => {
      const run = (width: number) =>
        runPlan(gpu, (plan) => {
          const dBias = gpu.createTensor('dBias', [width]);
          biasBackward(plan, { label: '/bias', dOut: x(), dBias });
          return [dBias];
        });
      await run(6);
      await expect(run(5)).rejects.toThrow(
        /dOut \(input\) has shape \[4,6\] and dBias \(dBias\) \[5\]/,
      );
    });
  });
});
