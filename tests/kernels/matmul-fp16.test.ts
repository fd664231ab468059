/**
 * Products with operands in 16 bits. Plan: exactly what float64 says of operands that 16 bits hold, storage types,
 * sizes, K whole and split: nothing but operands is rounded; other operands within what their rounding costs;
 * alpha, bias, accumulation and live rows; values out of range; the same bits twice; a device without f16.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Gpu, PlanBuilder, type DType, type Tensor } from '$lib/gpu';
import { KernelError } from '$lib/kernels/errors';
import { matmul } from '$lib/kernels/matmul';
import { requestTestGpu } from '../dawn';
import {
  matrix,
  product,
  randomMatrix,
  relativeError,
  roundedTo,
  runPlan,
  scaledSum,
  transposed,
  upload,
  withBias,
} from './oracle/matmul';

/** As in matmul.test.ts: a product of two f16 is exact in f32, so sums are all that rounds. */
const SUMS = 1e-5;
/**
 * Each operand is off by at most 2^-11 of itself where it is rounded to the nearest, and by twice that where it is cut, which
 * WGSL allows; of many terms these errors add as their root, and the worst of thousands of results is some four times that.
 */
const OPERANDS = 4 * 2 ** -10;

/** Loads and stores are those of f32, which matmul.test.ts tries in all layouts: here are a few, each a compilation. */
const SIZES = [
  [1, 1, 1],
  [17, 15, 33],
  [130, 47, 67],
  [3, 1200, 70],
  [33, 1028, 68],
] as const;

describe('matmul with fp16', () => {
  let gpu: Gpu;
  const made: Tensor[] = [];
  const keep = (tensor: Tensor) => (made.push(tensor), tensor);
  const free = () => made.splice(0).forEach((tensor) => gpu.destroyTensor(tensor));
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  for (const dtype of ['f32', 'f16', 'bf16'] as DType[])
    it(`rounds operands and nothing else: b in ${dtype}`, async (context) => {
      if (!gpu.features.f16) return context.skip();
      for (const [M, K, N] of dtype === 'f32' ? SIZES : SIZES.slice(-2))
        for (const transposeB of dtype === 'f32' ? [false, true] : [true]) {
          const where = `M ${M} K ${K} N ${N} transposeB ${transposeB}`;
          const run = async (a: ReturnType<typeof matrix>, b: typeof a) => {
            const args = {
              label: '/product',
              a: keep(upload(gpu, 'a', a)),
              b: keep(upload(gpu, 'b', transposeB ? transposed(b) : b, dtype)),
              ...{ transposeB, fp16: true },
            };
            const [out] = await runPlan(gpu, (plan) => [matmul(plan, args)]);
            free();
            return out;
          };
          const a = randomMatrix(M, K, 1);
          const b = roundedTo(randomMatrix(K, N, 2), dtype);
          // bf16 has fewer digits than f16, so what bf16 holds f16 does too, at these magnitudes.
          const short = roundedTo(a, 'f16');
          const shortB = dtype === 'bf16' ? b : roundedTo(b, 'f16');
          const exact = product(short, shortB).data;
          expect(relativeError(await run(short, shortB), exact), where).toBeLessThan(SUMS);
          const error = relativeError(await run(a, b), product(a, b).data);
          expect(error, where).toBeLessThan(OPERANDS);
          // Control: it is 16 bits that are multiplied.
          if (M * N > 1000) expect(error, where).toBeGreaterThan(SUMS);
        }
    });

  it('has alpha, bias, accumulation, and rows that only the GPU counts', async (context) => {
    if (!gpu.features.f16) return context.skip();
    for (const [M, K, N] of [
      [20, 48, 36],
      [9, 1100, 21],
    ]) {
      const a = roundedTo(randomMatrix(M, K, 3), 'f16');
      const b = roundedTo(randomMatrix(K, N, 4), 'f16');
      const bias = randomMatrix(1, N, 5);
      const before = randomMatrix(M, N, 6);
      const live = 7;
      const out = keep(upload(gpu, 'out', before));
      const count = keep(gpu.createTensor('count', [1], 'u32', Uint32Array.of(live)));
      const args = {
        label: '/product',
        a: keep(upload(gpu, 'a', a)),
        b: keep(upload(gpu, 'b', b)),
        bias: keep(gpu.createTensor('bias', [N], 'f32', Float32Array.from(bias.data))),
        rows: { total: M, count, countWord: 0, first: 0 },
        ...{ out, alpha: -0.37, accumulate: true, fp16: true },
      };
      await runPlan(gpu, (plan) => [matmul(plan, args)]);
      const full = withBias(scaledSum(-0.37, product(a, b), before), bias.data).data;
      const expected = before.data.map((value, i) => (i < live * N ? full[i] : value));
      expect(relativeError(await gpu.readFloats(out), expected)).toBeLessThan(SUMS);
      free();
    }
  });

  it('takes what f16 cannot hold for the largest that it can', async (context) => {
    if (!gpu.features.f16) return context.skip();
    const a = keep(upload(gpu, 'a', matrix(1, 4, [1e6, -1e9, 2, 0])));
    const b = keep(upload(gpu, 'b', matrix(4, 1, [1, 1, 0.5, 1e30])));
    const [out] = await runPlan(gpu, (plan) => [matmul(plan, { label: '/p', a, b, fp16: true })]);
    expect(out[0]).toBe(1);
    free();
  });

  it('gives the same bits twice', async (context) => {
    if (!gpu.features.f16) return context.skip();
    const a = keep(upload(gpu, 'a', randomMatrix(40, 600, 1)));
    const b = keep(upload(gpu, 'b', randomMatrix(600, 50, 2)));
    const run = async () =>
      (await runPlan(gpu, (plan) => [matmul(plan, { label: '/p', a, b, fp16: true })]))[0];
    expect(await run()).toEqual(await run());
    free();
  });

  it('is refused, by name, where the device has no f16', () => {
    const { limits } = gpu.device;
    const adapterInfo = { subgroupMinSize: 0, subgroupMaxSize: 0 };
    const like = (features: string[]) =>
      Gpu.counting({
        device: { limits, adapterInfo },
        granted: new Set(features),
        adapterName: 'an old card',
        features: { images: false },
      } as unknown as Gpu);
    const on = (device: Gpu, fp16: boolean) =>
      matmul(new PlanBuilder(device, 'refused'), {
        label: '/layer',
        a: device.createTensor('a', [4, 4]),
        b: device.createTensor('b', [4, 4]),
        fp16,
      });
    expect(() => on(like(['shader-f16']), true)).not.toThrow();
    expect(() => on(like([]), false)).not.toThrow();
    expect(() => on(like([]), true)).toThrow(KernelError);
    expect(() => on(like([]), true)).toThrow(/^\/layer: fp16 .*an old card has no shader-f16\.$/);
  });
});
