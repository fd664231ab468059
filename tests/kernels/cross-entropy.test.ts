import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '$lib/gpu';
import { linearCrossEntropy } from '$lib/kernels/cross-entropy';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import { requestTestGpu } from '../dawn';
import { randomMatrix, relativeError, runPlan, upload } from './oracle/matmul';
import { crossEntropy } from './oracle/cross-entropy';

describe('linearCrossEntropy', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());
  it('smoke', async () => {
    const N = 23,
      C = 17,
      V = 101;
    const hidden = randomMatrix(N, C, 1),
      weight = randomMatrix(V, C, 2);
    const rows = [3, 0, 22, 7, 8, 9, 15],
      targets = [100, 0, 3, 50, 51, 2, 2];
    const step = createStepState(gpu);
    uploadStepState(gpu, step, {
      dropoutSeed: 0,
      targetCount: rows.length,
      lossScale: 0.25,
      learningRate: 0,
      biasCorrection1: 1,
      biasCorrection2: 1,
    });
    const pad = (x: number[]) => Int32Array.from({ length: N }, (_, i) => x[i] ?? 0);
    const ri = gpu.createTensor('ri', [N], 'i32', pad(rows)),
      tg = gpu.createTensor('tg', [N], 'i32', pad(targets));
    const h = upload(gpu, 'h', hidden),
      w = upload(gpu, 'w', weight);
    const [loss, dHidden] = await runPlan(gpu, (plan) => {
      const loss = plan.tensor('loss', [N]),
        dHidden = plan.tensor('dHidden', [N, C]),
        correct = plan.tensor('c', [N], 'u32');
      linearCrossEntropy(plan, {
        label: '/ce',
        hidden: h,
        weight: { tensor: w, layout: 'out-in', inFeatures: C, outFeatures: V },
        rowIndex: ri,
        targets: tg,
        step,
        loss,
        dHidden,
        correct,
        chunkRows: 4,
      });
      return [loss, dHidden, correct];
    });
    const ref = crossEntropy(hidden, weight, undefined, rows, targets, 0.25);
    expect(relativeError(loss, ref.loss)).toBeLessThan(1e-5);
    expect(relativeError(dHidden, ref.dHidden.data)).toBeLessThan(1e-5);
  });
});
