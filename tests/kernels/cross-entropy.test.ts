/**
 * Plan: loss, gradient and hits for both layouts, all storage types, odd sizes and chunks that divide the
 * rows or not, with none, some and all rows as targets, against float64; logits so large that only a shifted
 * softmax survives; ties; evaluation without a gradient; finite differences; the same bits twice and for any
 * chunk; the gradient of the weight, with chunks smaller than the rows, rows without a target and a table
 * that the embedding adds to as well; the sum of losses; refusals by name.
 *
 * Tolerances, of the root mean square: 1e-5 for the loss and 2e-5 for the gradient, because WGSL allows exp
 * an error of 3 + 2|x| ulp, that is about 1e-6 for the largest terms, after a product that is within 1e-6.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DType, Gpu } from '$lib/gpu';
import { defaultChunkRows, linearCrossEntropy, sumLoss } from '$lib/kernels/cross-entropy';
import { embeddingBackward } from '$lib/kernels/embedding';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import type { WeightMatrix } from '$lib/kernels/weight';
import { requestTestGpu } from '../dawn';
import { crossEntropy } from './oracle/cross-entropy';
import { addEmbeddingGradient } from './oracle/embedding';
import {
  matrix,
  randomMatrix,
  relativeError,
  roundedTo,
  runPlan,
  scaledSum,
  transposed,
  upload,
  type Matrix,
} from './oracle/matmul';

const LOSS_TOLERANCE = 1e-5;
const GRADIENT_TOLERANCE = 2e-5;

interface Problem {
  hidden: Matrix;
  /** (V, C) */
  weight: Matrix;
  bias?: Matrix;
  rows: number[];
  targets: number[];
  lossScale: number;
}

interface Options {
  dtype?: DType;
  layout?: WeightMatrix['layout'];
  chunkRows?: number;
  gradient?: boolean;
  correct?: boolean;
  /** (V, C): what dWeight holds before; it is not asked for when left out. */
  before?: Matrix;
}

describe('linearCrossEntropy', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  /** `live` rows out of N in a scattered order, with targets all over the vocabulary. */
  const problem = (N: number, C: number, V: number, live: number): Problem => {
    const rows = Array.from({ length: N }, (_, i) => i).sort(
      (i, j) => ((i * 7919) % 101) - ((j * 7919) % 101) || i - j,
    );
    return {
      hidden: randomMatrix(N, C, 1),
      weight: randomMatrix(V, C, 2),
      rows: rows.slice(0, live),
      targets: Array.from({ length: live }, (_, i) => (i * 37 + V - 1) % V),
      lossScale: 0.125,
    };
  };

  const run = async (p: Problem, options: Options = {}) => {
    const { dtype = 'f32', layout = 'out-in', gradient = true, correct = true } = options;
    const [N, C, V] = [p.hidden.rows, p.hidden.columns, p.weight.rows];
    const step = createStepState(gpu);
    uploadStepState(gpu, step, {
      dropoutSeed: 1,
      targetCount: p.rows.length,
      lossScale: p.lossScale,
      learningRate: 1,
      biasCorrection1: 1,
      biasCorrection2: 1,
    });
    // What follows the valid entries is garbage and must not be used.
    const padded = (values: number[]) =>
      Int32Array.from({ length: N }, (_, i) => values[i] ?? 987654);
    const weight: WeightMatrix = {
      tensor: upload(gpu, 'weight', layout === 'out-in' ? p.weight : transposed(p.weight), dtype),
      layout,
      inFeatures: C,
      outFeatures: V,
    };
    const dirt = Float32Array.from({ length: N * C }, () => 5);
    const dHidden = gpu.createTensor('dHidden', [N, C], 'f32', dirt);
    const loss = gpu.createTensor('loss', [N], 'f32', dirt.subarray(0, N));
    const dWeight = options.before && upload(gpu, 'dWeight', options.before);
    const hits = gpu.createTensor(
      'correct',
      [N],
      'u32',
      Uint32Array.from({ length: N }, () => 5),
    );
    const total = gpu.createTensor('total', [1], 'f32', Float32Array.of(10));
    await runPlan(gpu, (plan) => {
      linearCrossEntropy(plan, {
        label: '/lm_head',
        hidden: upload(gpu, 'hidden', p.hidden),
        weight,
        bias: p.bias && gpu.createTensor('bias', [V], 'f32', Float32Array.from(p.bias.data)),
        rowIndex: gpu.createTensor('rowIndex', [N], 'i32', padded(p.rows)),
        targets: gpu.createTensor('targets', [N], 'i32', padded(p.targets)),
        step,
        loss,
        dHidden: gradient ? dHidden : undefined,
        dWeight,
        correct: correct ? hits : undefined,
        chunkRows: options.chunkRows,
      });
      sumLoss(plan, { label: '/loss', loss, total });
      return [];
    });
    return {
      loss: await gpu.readFloats(loss),
      dHidden: await gpu.readFloats(dHidden),
      correct: new Uint32Array(await gpu.readBytes(hits)),
      total: (await gpu.readFloats(total))[0],
      dWeight: dWeight && (await gpu.readFloats(dWeight)),
    };
  };

  const expectOracle = async (p: Problem, options: Options = {}) => {
    const weight = roundedTo(p.weight, options.dtype ?? 'f32');
    const expected = crossEntropy(p.hidden, weight, p.bias?.data, p.rows, p.targets, p.lossScale);
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

  it('adds a bias before the softmax', async () => {
    await expectOracle({ ...problem(9, 7, 33, 6), bias: randomMatrix(1, 33, 9) });
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

  it('its gradient equals finite differences of its loss', async () => {
    const p = problem(5, 4, 11, 3);
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
  });

  describe('gradient of the weight', () => {
    const compare = async (p: Problem, chunkRows?: number) => {
      const before = randomMatrix(p.weight.rows, p.weight.columns, 7);
      const { dWeight } = await run(p, { before, chunkRows });
      const expected = crossEntropy(p.hidden, p.weight, undefined, p.rows, p.targets, p.lossScale);
      const sum = scaledSum(1, expected.dWeight, before);
      expect(relativeError(dWeight!, sum.data), `chunks of ${chunkRows}`).toBeLessThan(
        GRADIENT_TOLERANCE,
      );
      return dWeight!;
    };

    it('equals float64 at odd sizes, added to what is there', async () => {
      for (const [N, C, V, live] of [
        [1, 1, 1, 1],
        [3, 5, 2, 2],
        [23, 17, 101, 7],
        [33, 40, 65, 33],
        [20, 31, 700, 19],
      ])
        await compare(problem(N, C, V, live));
    });

    it('takes none, some and all rows as targets, in chunks of any size, the same bits twice', async () => {
      for (const live of [0, 1, 8, 9, 16, 23])
        for (const chunkRows of [1, 5, 8, 23, 1000]) {
          const p = problem(23, 19, 77, live);
          expect(await compare(p, chunkRows)).toEqual(await compare(p, chunkRows));
        }
    });

    it('leaves no trace of rows without a target, however large they are', async () => {
      const p = problem(23, 19, 77, 9);
      const small = await compare(p, 5);
      for (let row = 0; row < 23; row++)
        if (!p.rows.includes(row)) p.hidden.data.fill(1e30, row * 19, (row + 1) * 19);
      expect(await compare(p, 5)).toEqual(small);
    });

    it('changes neither losses nor the gradient of hidden', async () => {
      const p = problem(20, 15, 60, 13);
      const { dWeight, ...others } = await run(p, { before: matrix(60, 15), chunkRows: 8 });
      expect(dWeight!.some((value) => value !== 0)).toBe(true);
      const { dWeight: none, ...without } = await run(p, { chunkRows: 8 });
      expect(none).toBeUndefined();
      expect(others).toEqual(without);
    });

    it('equals finite differences of the loss', async () => {
      const p = problem(5, 4, 11, 3);
      const { dWeight } = await run(p, { before: matrix(11, 4) });
      const slopes = matrix(11, 4);
      // As for the gradient of hidden.
      const step = 0.01;
      const value = async () => (await run(p)).loss.reduce((a, b) => a + b, 0) * p.lossScale;
      for (let i = 0; i < slopes.data.length; i++) {
        const at = p.weight.data[i];
        p.weight.data[i] = at + step;
        const above = await value();
        p.weight.data[i] = at - step;
        const below = await value();
        p.weight.data[i] = at;
        slopes.data[i] = (above - below) / (2 * step);
      }
      expect(relativeError(dWeight!, slopes.data)).toBeLessThan(1e-3);
    });

    it('adds to the same table as the embedding does, where both are one', async () => {
      const [N, C, V] = [9, 6, 13];
      const p = problem(N, C, V, 5);
      const ids = Array.from({ length: N }, (_, i) => (i * 5) % V);
      const dOut = randomMatrix(N, C, 8);
      const table = gpu.createTensor('embed gradient', [V, C]);
      const step = createStepState(gpu);
      uploadStepState(gpu, step, {
        dropoutSeed: 0,
        targetCount: 5,
        lossScale: p.lossScale,
        learningRate: 0,
        biasCorrection1: 1,
        biasCorrection2: 1,
      });
      const integers = (label: string, values: number[]) =>
        gpu.createTensor(
          label,
          [N],
          'i32',
          Int32Array.from({ length: N }, (_, i) => values[i] ?? 0),
        );
      await runPlan(gpu, (plan) => {
        linearCrossEntropy(plan, {
          label: '/lm_head',
          hidden: upload(gpu, 'hidden', p.hidden),
          weight: {
            tensor: upload(gpu, 'embed', p.weight),
            layout: 'out-in',
            inFeatures: C,
            outFeatures: V,
          },
          rowIndex: integers('rowIndex', p.rows),
          targets: integers('targets', p.targets),
          step,
          loss: gpu.createTensor('loss', [N]),
          dHidden: gpu.createTensor('dHidden', [N, C]),
          dWeight: table,
          chunkRows: 4,
        });
        embeddingBackward(plan, {
          label: '/embed',
          ids: integers('ids', ids),
          dOut: upload(gpu, 'dOut', dOut),
          dWeight: table,
        });
        return [];
      });
      const { dWeight } = crossEntropy(
        p.hidden,
        p.weight,
        undefined,
        p.rows,
        p.targets,
        p.lossScale,
      );
      addEmbeddingGradient(ids, dOut.data, dWeight.data, C);
      expect(relativeError(await gpu.readFloats(table), dWeight.data)).toBeLessThan(
        GRADIENT_TOLERANCE,
      );
    });
  });

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
