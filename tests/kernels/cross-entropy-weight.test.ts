/**
 * Plan: the gradient of the output projection's weight against float64 and finite differences, added to what is
 * there; chunks smaller than the rows; rows without a target; a table that the embedding adds to as well.
 *
 * Tolerance as for the gradient of hidden, in cross-entropy.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '$lib/gpu';
import { linearCrossEntropy } from '$lib/kernels/cross-entropy';
import { embeddingBackward } from '$lib/kernels/embedding';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import { requestTestGpu } from '../dawn';
import { crossEntropy } from './oracle/cross-entropy';
import {
  problem,
  runCrossEntropy,
  type Options,
  type Problem,
} from './oracle/cross-entropy-harness';
import { addEmbeddingGradient } from './oracle/embedding';
import { matrix, randomMatrix, relativeError, runPlan, scaledSum, upload } from './oracle/matmul';

const GRADIENT_TOLERANCE = 2e-5;

describe('linearCrossEntropy, gradient of the weight', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const run = (p: Problem, options?: Options) => runCrossEntropy(gpu, p, options);

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
    const { dWeight } = crossEntropy(p.hidden, p.weight, undefined, p.rows, p.targets, p.lossScale);
    addEmbeddingGradient(ids, dOut.data, dWeight.data, C);
    expect(relativeError(await gpu.readFloats(table), dWeight.data)).toBeLessThan(
      GRADIENT_TOLERANCE,
    );
  });
});
