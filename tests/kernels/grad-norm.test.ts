import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanBuilder, type Gpu, type Tensor } from '$lib/gpu';
import { KernelError } from '$lib/kernels/errors';
import { gradNorm } from '$lib/kernels/grad-norm';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import { requestTestGpu } from '../dawn';
import { runPlan, uniform, upload } from './oracle/add-harness';

/** Sums of positive numbers in a tree: the depth of it, some tens of roundings of 6e-8. */
const TOLERANCE = 2e-6;

describe('grad-norm', () => {
  let gpu: Gpu;
  let step: Tensor;
  const scaledBy = (scale: number) =>
    uploadStepState(gpu, step, {
      ...{ dropoutSeed: 0, targetCount: 0, lossScale: scale, learningRate: 0 },
      ...{ biasCorrection1: 1, biasCorrection2: 1, gradUnscale: 1 / scale },
    });
  beforeAll(async () => {
    gpu = await requestTestGpu();
    step = createStepState(gpu);
    scaledBy(1);
  });
  afterAll(() => gpu.dispose());

  it.each([1, 3, 4, 255, 4095, 4096, 4097, 65_537, 1_000_000, 5_000_003])(
    'is the square root of the sum of squares of %i numbers, the same bits twice',
    async (P) => {
      const values = uniform(P, 1);
      const grads = upload(gpu, 'grads', [P], values);
      const [norm] = await runPlan(gpu, (plan) => [
        gradNorm(plan, { label: '/norm', grads, step }),
      ]);
      const expected = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
      expect(Math.abs(norm[0] / expected - 1)).toBeLessThan(TOLERANCE);
      gpu.destroyTensor(grads);
    },
  );

  it('is that of the gradients without their scale, to the bit', async () => {
    const norms = [];
    for (const scale of [1, 2 ** 12]) {
      scaledBy(scale);
      const grads = upload(
        gpu,
        'grads',
        [1000],
        uniform(1000, 2).map((g) => g * scale),
      );
      norms.push(
        (await runPlan(gpu, (plan) => [gradNorm(plan, { label: '/norm', grads, step })]))[0][0],
      );
    }
    scaledBy(1);
    expect(norms[1]).toBe(norms[0]);
  });

  it('is zero for zeros', async () => {
    const grads = gpu.createTensor('grads', [100]);
    const [norm] = await runPlan(gpu, (plan) => [gradNorm(plan, { label: '/norm', grads, step })]);
    expect(norm[0]).toBe(0);
  });

  it('refuses what is not flat f32 by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const run = (grads: ReturnType<Gpu['createTensor']>) =>
      gradNorm(plan, { label: '/norm', grads, step });
    expect(() => run(gpu.createTensor('flat', [12]))).not.toThrow();
    expect(() => run(gpu.createTensor('matrix', [3, 4]))).toThrow(KernelError);
    expect(() => run(gpu.createTensor('matrix', [3, 4]))).toThrow(/grads \(matrix\).*\[12\]/);
    expect(() => run(gpu.createTensor('ids', [12], 'i32'))).toThrow(/grads \(ids\) is i32/);
  });
});
