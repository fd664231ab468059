/** RMSNorm and its gradient as this device runs them, against the oracle: what two test files share. */
import { expect } from 'vitest';
import type { Gpu } from '$lib/gpu';
import { rmsNormBackward, rmsNormForward } from '$lib/kernels/rms-norm';
import { relativeError, uniform, upload } from './add-harness';
import { runPlan } from './matmul';
import { rmsNorm, rmsNormGradients } from './rms-norm';

export async function expectRmsNorm(gpu: Gpu): Promise<void> {
  const epsilon = 1e-6;
  for (const [N, C] of [
    [1, 3],
    [5, 16],
    [7, 130],
    [33, 256],
  ]) {
    const x = uniform(N * C, 1);
    const weight = uniform(C, 2, 0.5, 1.5);
    const dOut = uniform(N * C, 3);
    const tensors = {
      x: upload(gpu, 'x', [N, C], x),
      weight: upload(gpu, 'weight', [C], weight),
      dOut: upload(gpu, 'dOut', [N, C], dOut),
    };
    const [out, dX] = await runPlan(gpu, (plan) => {
      const forward = rmsNormForward(plan, { label: '/norm', ...tensors, epsilon });
      const dX = rmsNormBackward(plan, { label: '/norm', ...tensors, rstd: forward.rstd });
      return [forward.out, dX];
    });
    const expected = rmsNormGradients(dOut, x, weight, epsilon);
    expect(relativeError(out, rmsNorm(x, weight, epsilon).out), `${[N, C]}`).toBeLessThan(1e-5);
    expect(relativeError(dX, expected.dX), `${[N, C]}`).toBeLessThan(1e-5);
    for (const tensor of Object.values(tensors)) gpu.destroyTensor(tensor);
  }
}
