/** Plan: any number of rows, added to what is there; the limit of f32's whole numbers passed; refusals by name. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu, Tensor } from '$lib/gpu';
import { countCorrect } from '$lib/kernels/cross-entropy-count';
import { requestTestGpu } from '../dawn';
import { runPlan } from './oracle/matmul';

describe('countCorrect', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const count = (correct: Tensor, total: Tensor) =>
    runPlan(gpu, (plan) => {
      countCorrect(plan, { label: '/correct', correct, total });
      return [];
    });

  it('adds up ones, of any number of rows, to what is there', async () => {
    for (const N of [1, 63, 64, 65, 1000]) {
      const marks = Uint32Array.from({ length: N }, (_, i) => Number((i * 7) % 3 > 0));
      const correct = gpu.createTensor('correct', [N], 'u32', marks);
      const start = 2 ** 24 + 1;
      const total = gpu.createTensor('total', [1], 'u32', Uint32Array.of(start));
      await count(correct, total);
      await count(correct, total);
      const expected = start + 2 * marks.reduce((a, b) => a + b, 0);
      expect(new Uint32Array(await gpu.readBytes(total))[0]).toBe(expected);
    }
  });

  it('refuses, by name, what does not fit', async () => {
    const good = () => gpu.createTensor('marks', [4], 'u32');
    const sum = () => gpu.createTensor('sum', [1], 'u32');
    await count(good(), sum());
    await expect(count(gpu.createTensor('losses', [4]), sum())).rejects.toThrow(
      /correct \(losses\) is f32, u32/,
    );
    await expect(count(good(), gpu.createTensor('sum', [1]))).rejects.toThrow(
      /total \(sum\) is f32/,
    );
    await expect(count(good(), gpu.createTensor('sum', [2], 'u32'))).rejects.toThrow(
      /total \(sum\) has shape \[2\], \[1\]/,
    );
  });
});
