import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanBuilder, type Gpu } from '$lib/gpu';
import { dropout, dropoutMask } from '$lib/kernels/dropout';
import { KernelError } from '$lib/kernels/errors';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import { requestTestGpu } from '../dawn';
import { runPlan, uniform, upload } from './oracle/add-harness';

/** Kept elements as 1, dropped as 0. */
const kept = (mask: Float32Array) => mask.map((value) => (value === 0 ? 0 : 1));
const mean = (values: Float32Array) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe('dropout', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const stepWith = (dropoutSeed: number) => {
    const step = createStepState(gpu);
    uploadStepState(gpu, step, {
      dropoutSeed,
      targetCount: 0,
      lossScale: 1,
      learningRate: 0,
      biasCorrection1: 1,
      biasCorrection2: 1,
    });
    return step;
  };

  it.each([
    [1, 0, 0, 0.5],
    [7, 1, 3, 0.1],
    [64, 0xffffffff, 0xffffffff, 0.25],
    [1021, 42, 6, 0.05],
    [4096, 123456789, 17, 0.9],
    [333, 5, 2, 0],
  ])(
    'multiplies %i elements by the mask of its twin, bit for bit (seed %i, site %i, p %d)',
    async (count, seed, site, probability) => {
      const values = uniform(count, 1);
      const x = upload(gpu, 'x', [count], values);
      const step = stepWith(seed);
      const [out] = await runPlan(gpu, (plan) => [
        dropout(plan, { label: '/dropout', x, step, site, probability }),
      ]);
      const mask = dropoutMask(seed, site, count, probability);
      const expected = Float32Array.from(values, (value, i) => value * mask[i]);
      expect(out).toEqual(expected);
    },
  );

  it('is its own backward, and adds where asked', async () => {
    const count = 50;
    const [values, before] = [uniform(count, 1), uniform(count, 2)];
    const dOut = upload(gpu, 'dOut', [5, 10], values);
    const into = upload(gpu, 'into', [5, 10], before);
    const given = gpu.createTensor('given', [5, 10]);
    const options = { label: '/dropout', x: dOut, step: stepWith(8), site: 2, probability: 0.3 };
    const record = (plan: PlanBuilder) => [
      dropout(plan, { ...options, out: given }),
      dropout(plan, { ...options, out: into, accumulate: true }),
    ];
    const [written, added] = await runPlan(gpu, record, 1);
    const mask = dropoutMask(8, 2, count, 0.3);
    for (let i = 0; i < count; i++) {
      expect(written[i]).toBe(Math.fround(values[i] * mask[i]));
      expect(added[i]).toBeCloseTo(values[i] * mask[i] + before[i], 6);
    }
  });

  it.each([0.05, 0.1, 0.5, 0.8])('drops a share of %d and keeps the mean', (probability) => {
    const count = 400_000;
    const mask = dropoutMask(77, 3, count, probability);
    const deviation = Math.sqrt((probability * (1 - probability)) / count);
    expect(Math.abs(mean(kept(mask)) - (1 - probability))).toBeLessThan(4 * deviation);
    expect(Math.abs(mean(mask) - 1)).toBeLessThan((4 * deviation) / (1 - probability));
    expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / (1 - probability))]));
  });

  it('has no correlation between neighbours, rows, sites or seeds', () => {
    const count = 200_000;
    const centred = (mask: Float32Array) => kept(mask).map((value) => 2 * value - 1);
    const correlation = (a: Float32Array, b: Float32Array) => {
      let sum = 0;
      const n = Math.min(a.length, b.length);
      for (let i = 0; i < n; i++) sum += a[i] * b[i];
      return Math.abs(sum) / Math.sqrt(n);
    };
    const base = centred(dropoutMask(1, 0, count, 0.5));
    // Each is a standard normal under independence: 5 is one chance in two million.
    for (const lag of [1, 2, 3, 4, 5, 8, 16, 64, 192, 256, 576, 1024, 4096, 65536])
      expect(correlation(base, base.subarray(lag)), `lag ${lag}`).toBeLessThan(5);
    for (const other of [1, 2, 3, 4, 100, 0x80000000]) {
      expect(correlation(base, centred(dropoutMask(1 + other, 0, count, 0.5)))).toBeLessThan(5);
      expect(correlation(base, centred(dropoutMask(1, other, count, 0.5)))).toBeLessThan(5);
    }
    expect(
      correlation(centred(dropoutMask(3, 9, count, 0.5)), centred(dropoutMask(9, 3, count, 0.5))),
    ).toBeLessThan(5);
  });

  it('spreads the drops of a row of 64 as a binomial does', () => {
    const [rows, width, probability] = [20_000, 64, 0.25];
    const mask = kept(dropoutMask(11, 4, rows * width, probability));
    let squares = 0;
    for (let row = 0; row < rows; row++) {
      const count = mask.subarray(row * width, (row + 1) * width).reduce((a, b) => a + b, 0);
      squares += (count - width * (1 - probability)) ** 2;
    }
    const variance = width * probability * (1 - probability);
    expect(squares / rows / variance).toBeGreaterThan(0.96);
    expect(squares / rows / variance).toBeLessThan(1.04);
  });

  it('refuses what it does not take by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const x = gpu.createTensor('x', [4, 8]);
    const good = { label: '/dropout', x, step: stepWith(1), site: 0, probability: 0.5 };
    expect(() => dropout(plan, good)).not.toThrow();
    expect(() => dropout(plan, { ...good, step: x })).toThrow(KernelError);
    expect(() => dropout(plan, { ...good, step: x })).toThrow(/step \(x\)/);
    expect(() => dropout(plan, { ...good, probability: 1 })).toThrow(/probability is 1/);
    expect(() => dropout(plan, { ...good, probability: -0.1 })).toThrow(/probability is -0.1/);
    expect(() => dropout(plan, { ...good, probability: NaN })).toThrow(/probability is NaN/);
    expect(() => dropout(plan, { ...good, site: 1.5 })).toThrow(/site is 1.5/);
    expect(() => dropout(plan, { ...good, accumulate: true })).toThrow(/needs an out/);
    const other = gpu.createTensor('other', [32]);
    expect(() => dropout(plan, { ...good, out: other })).toThrow(/out \(other\)/);
  });
});
