import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanBuilder, reshaped, type DType, type Gpu } from '$lib/gpu';
import { KernelError } from '$lib/kernels/errors';
import {
  rmsNormBackward,
  rmsNormForward,
  rmsNormVariants,
  type RmsNormVariant,
} from '$lib/kernels/rms-norm';
import { requestTestGpu } from '../dawn';
import {
  asStored,
  dot,
  gradientError,
  relativeError,
  runPlan,
  uniform,
  upload,
} from './oracle/add-harness';
import { rmsNorm, rmsNormGradients } from './oracle/rms-norm';

/** A mean of C squares in f32 is off by some sqrt(C) * 6e-8, 4e-6 at 4096. */
const TOLERANCE = 1e-5;
const epsilon = 1e-6;
/** A row of one is x / |x|: its gradient is what epsilon leaves of a difference of equals. */
const epsilonOfOne = 0.5;

describe('rms-norm', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  async function compare(N: number, C: number, dtype: DType = 'f32') {
    for (const variant of rmsNormVariants(gpu)) await compareVariant(variant, N, C, dtype);
  }

  async function compareVariant(variant: RmsNormVariant, N: number, C: number, dtype: DType) {
    const options = { epsilon: C === 1 ? epsilonOfOne : epsilon, variant };
    const x = uniform(N * C, 1);
    const weight = asStored(uniform(C, 2, 0.5, 1.5), dtype);
    const dOut = uniform(N * C, 3);
    const tensors = {
      x: upload(gpu, 'x', [N, C], x),
      weight: upload(gpu, 'weight', [C], weight, dtype),
      dOut: upload(gpu, 'dOut', [N, C], dOut),
    };
    const dWeight = gpu.createTensor('dWeight', [C]);
    const [out, rstd, dX, weightGradient] = await runPlan(
      gpu,
      (plan) => {
        const forward = rmsNormForward(plan, { label: '/norm', ...tensors, ...options });
        const { rstd } = forward;
        const dX = rmsNormBackward(plan, { label: '/norm', ...tensors, rstd, dWeight, variant });
        return [forward.out, rstd, dX, dWeight];
      },
      1,
    );
    const forward = rmsNorm(x, weight, options.epsilon);
    const gradients = rmsNormGradients(dOut, x, weight, options.epsilon);
    const what = `of (${N}, ${C}) ${dtype}, ${variant}`;
    expect(relativeError(out, forward.out), `out ${what}`).toBeLessThan(TOLERANCE);
    expect(relativeError(rstd, forward.rstd), `rstd ${what}`).toBeLessThan(TOLERANCE);
    expect(relativeError(dX, gradients.dX), `dX ${what}`).toBeLessThan(TOLERANCE);
    expect(relativeError(weightGradient, gradients.dWeight), `dWeight ${what}`).toBeLessThan(
      TOLERANCE,
    );
  }

  it('has an oracle whose gradients are its finite differences', () => {
    const x = uniform(3 * 10, 1);
    const weight = uniform(10, 2);
    const dOut = uniform(3 * 10, 3);
    const { dX, dWeight } = rmsNormGradients(dOut, x, weight, epsilon);
    expect(gradientError((y) => dot(rmsNorm(y, weight, epsilon).out, dOut), x, dX)).toBeLessThan(
      1e-7,
    );
    expect(
      gradientError((w) => dot(rmsNorm(x, w, epsilon).out, dOut), weight, dWeight),
    ).toBeLessThan(1e-7);
  });

  it.each([
    [1, 1],
    [1, 4],
    [3, 7],
    [17, 31],
    [16, 32],
    [65, 33],
    [5, 255],
    [4, 256],
    [3, 257],
    [2, 1021],
    [1, 4096],
  ])('agrees with the oracle at %i rows of %i', async (N, C) => {
    await compare(N, C);
  });

  it.each<[DType, number]>([
    ['f16', 64],
    ['f16', 7],
    ['bf16', 64],
    ['bf16', 7],
  ])('reads a weight in %s of width %i', async (dtype, C) => {
    await compare(5, C, dtype);
  });

  it('sums the gradient of the weight over many slices of rows', async () => {
    await compare(5000, 24);
  });

  it('keeps small numbers above epsilon and survives a row of zeros', async () => {
    const x = Float64Array.from([1e-5, -2e-5, 3e-5, 1e-5, 0, 0, 0, 0].map(Math.fround));
    const weight = new Float64Array(4).fill(1);
    const tensors = {
      x: upload(gpu, 'x', [2, 4], x),
      weight: upload(gpu, 'weight', [4], weight),
    };
    const [out] = await runPlan(gpu, (plan) => [
      rmsNormForward(plan, { label: '/norm', ...tensors, epsilon }).out,
    ]);
    expect(relativeError(out, rmsNorm(x, weight, epsilon).out)).toBeLessThan(TOLERANCE);
  });

  it('leaves the same bits twice, writes into a given tensor and adds to one where asked', async () => {
    const [N, C] = [37, 48];
    const x = uniform(N * C, 1);
    const weight = uniform(C, 2);
    const dOut = uniform(N * C, 3);
    const before = uniform(N * C, 4);
    const tensors = {
      x: upload(gpu, 'x', [N, C], x),
      weight: upload(gpu, 'weight', [C], weight),
      dOut: upload(gpu, 'dOut', [N, C], dOut),
    };
    const written = upload(gpu, 'dX', [N, C], before);
    const out = upload(gpu, 'out', [N, C], before);
    await runPlan(gpu, (plan) => {
      const { rstd } = rmsNormForward(plan, { label: '/norm', ...tensors, epsilon, out });
      return [out, rmsNormBackward(plan, { label: '/norm', ...tensors, rstd, dX: written })];
    });
    const { dX } = rmsNormGradients(dOut, x, weight, epsilon);
    expect(relativeError(await gpu.readFloats(written), dX)).toBeLessThan(TOLERANCE);
    expect(relativeError(await gpu.readFloats(out), rmsNorm(x, weight, epsilon).out)).toBeLessThan(
      TOLERANCE,
    );

    const added = upload(gpu, 'dX', [N, C], before);
    const start = uniform(C, 5);
    const dWeight = upload(gpu, 'dWeight', [C], start);
    await runPlan(
      gpu,
      (plan) => {
        const { rstd } = rmsNormForward(plan, { label: '/norm', ...tensors, epsilon });
        const options = { label: '/norm', ...tensors, rstd, dX: added, accumulate: true, dWeight };
        return [rmsNormBackward(plan, options)];
      },
      1,
    );
    const sum = dX.map((value, i) => value + before[i]);
    expect(relativeError(await gpu.readFloats(added), sum)).toBeLessThan(TOLERANCE);
    const weightSum = rmsNormGradients(dOut, x, weight, epsilon).dWeight.map(
      (v, i) => v + start[i],
    );
    expect(relativeError(await gpu.readFloats(dWeight), weightSum)).toBeLessThan(TOLERANCE);
  });

  it('normalises heads of a reshaped tensor', async () => {
    const [N, H, D] = [5, 3, 8];
    const x = uniform(N * H * D, 1);
    const weight = uniform(D, 2);
    const tensors = {
      x: reshaped(upload(gpu, 'x', [N, H * D], x), [N * H, D]),
      weight: upload(gpu, 'weight', [D], weight),
    };
    const [out] = await runPlan(gpu, (plan) => [
      rmsNormForward(plan, { label: '/norm', ...tensors, epsilon }).out,
    ]);
    expect(relativeError(out, rmsNorm(x, weight, epsilon).out)).toBeLessThan(TOLERANCE);
  });

  it('folds a grid of more than 65535 workgroups', async () => {
    // 4 lanes a row and 16 rows a workgroup at this width.
    const [N, C] = [16 * 65536 + 3, 1];
    const x = upload(gpu, 'x', [N, C], new Float32Array(N).fill(2));
    const weight = upload(gpu, 'weight', [C], [3]);
    const [out] = await runPlan(gpu, (plan) => [
      rmsNormForward(plan, { label: '/norm', x, weight, epsilon: 0 }).out,
    ]);
    expect(out.every((value) => value === 3)).toBe(true);
    gpu.destroyTensor(x);
  });

  it('refuses other shapes and types by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const x = gpu.createTensor('x', [4, 8]);
    const weight = gpu.createTensor('weight', [8]);
    const dOut = gpu.createTensor('dOut', [4, 8]);
    const other = gpu.createTensor('other', [4, 9]);
    const forward = { label: '/norm', x, weight, epsilon };
    const { rstd } = rmsNormForward(plan, forward);
    const backward = { label: '/norm', dOut, x, weight, rstd };
    expect(() => rmsNormBackward(plan, backward)).not.toThrow();

    const ids = gpu.createTensor('ids', [8], 'i32');
    expect(() => rmsNormForward(plan, { ...forward, x: other })).toThrow(KernelError);
    expect(() => rmsNormForward(plan, { ...forward, x: other })).toThrow(/weight.*\[8\].*\[9\]/);
    expect(() => rmsNormForward(plan, { ...forward, x: weight })).toThrow(/x \(weight\).*matrix/);
    expect(() => rmsNormForward(plan, { ...forward, weight: ids })).toThrow(
      /weight \(ids\) is i32/,
    );
    expect(() => rmsNormForward(plan, { ...forward, out: other })).toThrow(/out \(other\)/);
    expect(() => rmsNormBackward(plan, { ...backward, dOut: other })).toThrow(/dOut \(other\)/);
    expect(() => rmsNormBackward(plan, { ...backward, dX: other })).toThrow(/dX \(other\)/);
    expect(() => rmsNormBackward(plan, { ...backward, rstd: weight })).toThrow(/rstd \(weight\)/);
    expect(() => rmsNormBackward(plan, { ...backward, dWeight: rstd })).toThrow(/dWeight/);
    expect(() => rmsNormBackward(plan, { ...backward, accumulate: true })).toThrow(/needs a dX/);
  });
});
