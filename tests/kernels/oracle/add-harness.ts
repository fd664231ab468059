/**
 * What the tests of the row-wise kernels share: numbers that are exact in their storage type, running a
 * plan, measures of error, and finite differences. Knows no op.
 */
import { expect } from 'vitest';
import { Arena, PlanBuilder, type DType, type Gpu, type Tensor } from '$lib/gpu';

/** Uniform in low .. high, each value exact in f32; the same seed gives the same numbers. */
export function uniform(count: number, seed: number, low = -1, high = 1): Float64Array {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return Math.fround(low + (((z ^ (z >>> 14)) >>> 0) / 2 ** 32) * (high - low));
  });
}

export function upload(
  gpu: Gpu,
  label: string,
  shape: readonly number[],
  values: ArrayLike<number>,
  dtype: DType = 'f32',
): Tensor {
  if (dtype === 'f16' || dtype === 'bf16')
    return gpu.createTensor(label, shape, dtype, Uint16Array.from(values, bitsOf[dtype]));
  const data =
    dtype === 'f32'
      ? Float32Array.from(values)
      : dtype === 'i32'
        ? Int32Array.from(values)
        : Uint32Array.from(values);
  return gpu.createTensor(label, shape, dtype, data);
}

/** The values as the storage type holds them. Numbers are taken from the normal range of f16. */
export function asStored(values: Float64Array, dtype: DType): Float64Array {
  if (dtype === 'f16') return values.map((value) => roundTo(value, 10));
  if (dtype === 'bf16') return values.map((value) => roundTo(value, 7));
  return values.map(Math.fround);
}

/** Truncates the mantissa: what a storage type holds need not be the nearest for a test. */
function roundTo(value: number, mantissaBits: number): number {
  if (value === 0) return 0;
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - mantissaBits);
  return Math.trunc(value / unit) * unit;
}

const bitsOf = {
  bf16: (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0] >>> 16,
  f16: (value: number) => {
    const sign = value < 0 ? 0x8000 : 0;
    const exponent = Math.floor(Math.log2(Math.abs(value)));
    if (value === 0 || exponent < -14) return sign;
    return sign | ((exponent + 15) << 10) | ((Math.abs(value) / 2 ** exponent - 1) * 1024);
  },
};

/**
 * Builds a plan, runs it `runs` times and reads the tensors that `record` returns. Every run must leave
 * the same bits, which proves both determinism and that results are overwritten; kernels that
 * accumulate are run once. Any validation error of the device throws.
 */
export async function runPlan(
  gpu: Gpu,
  record: (plan: PlanBuilder) => Tensor[],
  runs = 2,
): Promise<Float32Array[]> {
  const plan = new PlanBuilder(gpu, 'test');
  const results = record(plan);
  results.forEach((tensor) => plan.keep(tensor));
  const arena = new Arena(gpu, 'test arena');
  const built = await plan.build(arena);
  let bytes: ArrayBuffer[] = [];
  for (let run = 0; run < runs; run++) {
    await built.run();
    const again = await Promise.all(results.map((tensor) => gpu.readBytes(tensor)));
    if (run > 0)
      again.forEach((buffer, i) =>
        expect(sameBits(buffer, bytes[i]), `${results[i].label} after run ${run + 1}`).toBe(true),
      );
    bytes = again;
  }
  built.dispose();
  arena.dispose();
  return bytes.map((buffer) => new Float32Array(buffer));
}

export function sameBits(a: ArrayBufferLike, b: ArrayBufferLike): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;
}

/** Largest difference over the larger of the value itself and the root mean square of all values. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let squares = 0;
  for (let i = 0; i < expected.length; i++) squares += expected[i] ** 2;
  const typical = Math.sqrt(squares / expected.length) || 1;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]) / Math.max(typical, Math.abs(expected[i]));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

/**
 * Compares a gradient with central differences of a scalar function, at up to 24 spread elements.
 * @returns the relative error, about 1e-8 where the gradient is right
 */
export function gradientError(
  loss: (x: Float64Array) => number,
  x: Float64Array,
  gradient: Float64Array,
): number {
  const step = 1e-5;
  const samples = Math.min(24, x.length);
  const expected: number[] = [];
  const actual: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const i = Math.floor((sample * x.length) / samples);
    const moved = Float64Array.from(x);
    moved[i] = x[i] + step;
    const above = loss(moved);
    moved[i] = x[i] - step;
    expected.push((above - loss(moved)) / (2 * step));
    actual.push(gradient[i]);
  }
  return relativeError(actual, expected);
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
