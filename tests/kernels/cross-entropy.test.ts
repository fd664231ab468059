/**
 * Plan: loss, gradient and hits for both layouts, all storage types, odd sizes and chunks that divide the
 * rows or not, with none, some and all rows as targets, against float64; logits so large that only a shifted
 * softmax survives; ties; evaluation without a gradient; finite differences; the same bits twice and for any
 * chunk; smoothed targets, with and without a gradient; more rows than a grid is wide; the sum of losses; refusals by name. The gradient of
 * the weight: cross-entropy-weight.test.ts.
 *
 * Tolerances, of the root mean square: 1e-5 for the loss and 2e-5 for the gradient, because WGSL allows exp
 * an error of 3 + 2|x| ulp, that is about 1e-6 for the largest terms, after a product that is within 1e-6.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DType, Gpu } from '$lib/gpu';
import { defaultChunkRows, linearCrossEntropy, sumLoss } from '$lib/kernels/cross-entropy';
import { createStepState } from '$lib/kernels/step-state';
import { requestTestGpu } from '../dawn';
import { crossEntropy } from './oracle/cross-entropy';
import {
  problem,
  runCrossEntropy,
  type Options,
  type Problem,
} from './oracle/cross-entropy-harness';
import { matrix, randomMatrix, relativeError, roundedTo, runPlan } from './oracle/matmul';

const LOSS_TOLERANCE = 1e-5;
const GRADIENT_TOLERANCE = 2e-5;

describe('linearCrossEntropy', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const run = (p: Problem, options?: Options) => runCrossEntropy(gpu, p, options);

  const expectOracle = async (p: Problem, options: Options = {}) => {
    const weight = roundedTo(p.weight, options.dtype ?? 'f32');
    const { hidden, rows, targets, lossScale, labelSmoothing } = p;
    const bias = p.bias?.data;
    const expected = crossEntropy(hidden, weight, bias, rows, targets, lossScale, labelSmoothing);
    const actual = await run(p, options);
    expect(relativeError(actual.loss, expected.loss)).toBeLessThan(LOSS_TOLERANCE);
    expect(relativeError(actual.dHidden, expected.dHidden.data)).toBeLessThan(GRADIENT_TOLERANCE);
    expect(actual.correct).toEqual(expected.correct);
    for (let row = 0; row < p.hidden.rows; row++)
      if (!p.rows.includes(row))
        expect(actual.dHidden.slice(row * p.hidden.columns, (row + 1) * p.hidden.columns)).toEqual(
          new Float32Array(p.hidden.columns),
        );
    const total = 10 + expected.loss.reduce((a, b) => a + b, 0);
    expect(Math.abs(actual.total - total) / total).toBeLessThan(LOSS_TOLERANCE);
  };

  for (const layout of ['out-in', 'in-out'] as const)
    for (const dtype of ['f32', 'f16', 'bf16'] as DType[])
      it(`equals float64: ${layout}, ${dtype}, odd sizes`, async () => {
        for (const [N, C, V, live] of [
          [1, 1, 1, 1],
          [3, 5, 2, 2],
          [23, 17, 101, 7],
          [33, 40, 65, 33],
          [20, 31, 700, 19],
          [9, 13, 3001, 5],
        ])
          await expectOracle(problem(N, C, V, live), { layout, dtype });
      });

  it('takes none, some and all rows as targets, in chunks of any size, with the same bits', async () => {
    for (const live of [0, 1, 8, 9, 16, 23]) {
      const p = problem(23, 19, 77, live);
      await expectOracle(p, { chunkRows: 8 });
      const whole = await run(p, { chunkRows: 8 });
      for (const chunkRows of [1, 5, 8, 23, 1000])
        expect(await run(p, { chunkRows })).toEqual(whole);
    }
  });

  it('takes more rows than a grid is wide', async () => {
    const N = 65535 + 9;
    const p = problem(N, 2, 3, N - 1);
    const expected = crossEntropy(p.hidden, p.weight, undefined, p.rows, p.targets, p.lossScale);
    const { loss, dHidden } = await run(p, { chunkRows: 65000 });
    expect(relativeError(loss, expected.loss)).toBeLessThan(LOSS_TOLERANCE);
    expect(relativeError(dHidden, expected.dHidden.data)).toBeLessThan(GRADIENT_TOLERANCE);
  });

  it('adds a bias before the softmax', async () => {
    await expectOracle({ ...problem(9, 7, 33, 6), bias: randomMatrix(1, 33, 9) });
  });

  it('spreads a share of each target over the vocabulary', async () => {
    for (const labelSmoothing of [0.1, 0.5, 1])
      for (const [N, C, V, live] of [
        [1, 1, 1, 1],
        [9, 7, 2, 6],
        [23, 17, 701, 19],
      ])
        await expectOracle({ ...problem(N, C, V, live), labelSmoothing });
    const p = problem(20, 15, 60, 13);
    const smoothed = { ...p, labelSmoothing: 0.1 };
    const evaluated = await run(smoothed, { gradient: false });
    expect(evaluated.loss).toEqual((await run(smoothed)).loss);
    expect(await run({ ...p, labelSmoothing: 0 })).toEqual(await run(p));
    expect(evaluated.loss).not.toEqual((await run(p)).loss);
  });

  it('survives logits in the thousands', async () => {
    const p = problem(12, 16, 50, 12);
    p.hidden.data.forEach((value, i) => (p.hidden.data[i] = value * 1000));
    await expectOracle(p);
  });

  it('counts a tie for the lowest token', async () => {
    const p = problem(4, 3, 200, 4);
    p.weight.data.fill(0.5);
    p.targets = [0, 1, 199, 64];
    expect((await run(p)).correct).toEqual(Uint32Array.of(1, 0, 0, 0));
  });

  it('evaluates without a gradient: the same losses, dHidden untouched', async () => {
    const p = problem(20, 15, 60, 13);
    const trained = await run(p);
    const evaluated = await run(p, { gradient: false });
    expect(evaluated.loss).toEqual(trained.loss);
    expect(evaluated.correct).toEqual(trained.correct);
    expect(evaluated.dHidden.every((value) => value === 5)).toBe(true);
    expect((await run(p, { correct: false })).correct.every((value) => value === 5)).toBe(true);
  });

  it('makes the loss of a target outside the vocabulary NaN, and of that row only', async () => {
    const p = problem(5, 4, 30, 3);
    for (const wrong of [30, -100]) {
      const { loss } = await run({ ...p, targets: [p.targets[0], wrong, p.targets[2]] });
      expect(Array.from(loss, Number.isNaN)).toEqual([false, true, false, false, false]);
    }
    expect((await run(p)).loss.some(Number.isNaN)).toBe(false);
  });

  it.each([0, 0.2])(
    'its gradient equals finite differences, smoothing %s',
    async (labelSmoothing) => {
      const p = { ...problem(5, 4, 11, 3), labelSmoothing };
      const { dHidden } = await run(p);
      const slopes = matrix(5, 4);
      // Truncation is of order step^2 = 1e-4 and rounding of order 1e-7 / step = 1e-5.
      const step = 0.01;
      const value = async () => (await run(p)).loss.reduce((a, b) => a + b, 0) * p.lossScale;
      for (let i = 0; i < slopes.data.length; i++) {
        const at = p.hidden.data[i];
        p.hidden.data[i] = at + step;
        const above = await value();
        p.hidden.data[i] = at - step;
        const below = await value();
        p.hidden.data[i] = at;
        slopes.data[i] = (above - below) / (2 * step);
      }
      expect(relativeError(dHidden, slopes.data)).toBeLessThan(1e-3);
    },
  );

  it('sums losses in a fixed order, of any number', async () => {
    for (const N of [1, 63, 64, 65, 1000]) {
      const values = randomMatrix(1, N, N);
      const loss = gpu.createTensor('loss', [N], 'f32', Float32Array.from(values.data));
      const sum = async () => {
        const total = gpu.createTensor('total', [1]);
        await runPlan(gpu, (plan) => {
          sumLoss(plan, { label: '/loss', loss, total });
          sumLoss(plan, { label: '/loss again', loss, total });
          return [];
        });
        return (await gpu.readFloats(total))[0];
      };
      const first = await sum();
      const expected = 2 * values.data.reduce((a, b) => a + b, 0);
      expect(Math.abs(first - expected)).toBeLessThan(1e-6 * N);
      expect(await sum()).toBe(first);
    }
  });

  it('keeps the logits of a chunk near 32 MiB', () => {
    expect(defaultChunkRows(4096, 49152)).toBe(160);
    expect(defaultChunkRows(4096, 151936)).toBe(48);
    expect(defaultChunkRows(4096, 2_000_000)).toBe(16);
    expect(defaultChunkRows(4096, 300)).toBe(256);
    expect(defaultChunkRows(7, 49152)).toBe(7);
  });

  describe('refuses, by name, what does not fit', () => {
    const [N, C, V] = [6, 4, 9];
    type Args = Parameters<typeof linearCrossEntropy>[1];
    const good = (): Args => ({
      label: '/lm_head',
      hidden: gpu.createTensor('hidden', [N, C]),
      weight: {
        tensor: gpu.createTensor('embed.weight', [V, C], 'f16'),
        layout: 'out-in',
        inFeatures: C,
        outFeatures: V,
      },
      rowIndex: gpu.createTensor('rowIndex', [N], 'i32'),
      targets: gpu.createTensor('targets', [N], 'i32'),
      step: createStepState(gpu),
      loss: gpu.createTensor('loss', [N]),
      dHidden: gpu.createTensor('dHidden', [N, C]),
    });
    const record = (args: Args) =>
      runPlan(gpu, (plan) => {
        linearCrossEntropy(plan, args);
        return [];
      });
    const cases: [name: string, change: () => Partial<Args>, says: RegExp][] = [
      [
        'a hidden of another width',
        () => ({ hidden: gpu.createTensor('narrow', [N, 3]) }),
        /hidden \(narrow\) has shape \[6,3\], \[6,4\]/,
      ],
      [
        'targets in u32',
        () => ({ targets: gpu.createTensor('targets', [N], 'u32') }),
        /targets \(targets\) is u32, i32/,
      ],
      [
        'too few losses',
        () => ({ loss: gpu.createTensor('loss', [5]) }),
        /loss \(loss\) has shape \[5\], \[6\]/,
      ],
      [
        'hits in f32',
        () => ({ correct: gpu.createTensor('hits', [N]) }),
        /correct \(hits\) is f32, u32/,
      ],
      ['smoothing above 1', () => ({ labelSmoothing: 1.5 }), /labelSmoothing is 1.5/],
      ['a chunk of no rows', () => ({ chunkRows: 0 }), /chunkRows is 0/],
      [
        'a gradient of the weight turned round',
        () => ({ dWeight: gpu.createTensor('turned', [C, V]) }),
        /dWeight \(turned\) has shape \[4,9\], \[9,4\]/,
      ],
      [
        'a gradient of the weight without one of hidden',
        () => ({ dWeight: gpu.createTensor('dWeight', [V, C]), dHidden: undefined }),
        /dWeight needs dHidden/,
      ],
    ];
    for (const [name, change, says] of cases)
      it(name, async () => {
        await record(good());
        await expect(record({ ...good(), ...change() })).rejects.toThrow(says);
      });
  });
});
