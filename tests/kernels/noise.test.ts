/** Noise on the embeddings: the CPU's twin bit for bit, its statistics, and that nothing but its seed decides it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '$lib/gpu';
import { dropoutMask } from '$lib/kernels/dropout';
import { uniformNoise, uniformNoiseValues } from '$lib/kernels/noise';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import { requestTestGpu } from '../dawn';
import { runPlan } from './oracle/add-harness';

describe('uniformNoise', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const draw = async (shape: number[], dropoutSeed: number, noiseScale?: number) => {
    const step = createStepState(gpu);
    uploadStepState(gpu, step, {
      ...{ dropoutSeed, targetCount: 0, lossScale: 1, learningRate: 1 },
      ...{ biasCorrection1: 1, biasCorrection2: 1, noiseScale },
    });
    const [noise] = await runPlan(gpu, (plan) => [
      uniformNoise(plan, { label: '/embed', shape, step }),
    ]);
    gpu.destroyTensor(step);
    return Float32Array.from(noise);
  };

  it.each([[1], [3], [4], [7, 5], [257], [64, 33]])(
    'equals its twin at shape %j',
    async (...shape) => {
      const count = shape.reduce((product, size) => product * size, 1);
      const scale = Math.fround(0.37);
      expect(await draw(shape, 0xdeadbeef, scale)).toEqual(
        uniformNoiseValues(0xdeadbeef, count, scale),
      );
    },
  );

  it('is uniform in [-scale, scale): mean, variance, quarters and neighbours', async () => {
    const count = 40_000;
    const noise = await draw([count], 5, 2);
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const values = Array.from(noise);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...values)).toBeLessThan(2);
    // Four standard errors: sqrt(4/3 / n) of the mean, about 1.2 / sqrt(n) of the variance.
    const error = 4 / Math.sqrt(count);
    expect(Math.abs(mean(values))).toBeLessThan(error * 1.155);
    expect(Math.abs(mean(values.map((x) => x * x)) - 4 / 3)).toBeLessThan(error * 1.2);
    for (const edge of [-1, 0, 1]) {
      const below = values.filter((x) => x < edge).length / count;
      expect(Math.abs(below - (edge + 2) / 4)).toBeLessThan(error * 0.5);
    }
    for (const lag of [1, 2, 3, 4, 64]) {
      const products = values.slice(lag).map((x, i) => x * values[i]);
      expect(Math.abs(mean(products))).toBeLessThan(error * 1.34);
    }
  });

  it('is another one for another seed, and not that of dropout', async () => {
    const [a, again, b] = [
      await draw([1000], 1, 1),
      await draw([1000], 1, 1),
      await draw([1000], 2, 1),
    ];
    expect(again).toEqual(a);
    const agreement = (x: Float32Array, y: Float32Array) =>
      x.reduce((sum, value, i) => sum + value * y[i], 0) / 1000;
    expect(Math.abs(agreement(a, b))).toBeLessThan(0.05);
    const mask = dropoutMask(1, 0, 1000, 0.5).map((value) => value - 1);
    expect(Math.abs(agreement(a, mask))).toBeLessThan(0.08);
  });

  it('is nothing at a scale of 0, which is what a step state without one has', async () => {
    for (const scale of [0, undefined])
      expect((await draw([33], 9, scale)).every((value) => Math.abs(value) === 0)).toBe(true);
  });
});
