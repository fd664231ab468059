/** Matrix products in float64, written plainly, and what the kernel tests share: random matrices, 16-bit packing, running a plan. */
import { Arena, PlanBuilder, type DType, type Gpu, type Tensor } from '$lib/gpu';

/** Row-major matrix in float64. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

export function matrix(rows: number, columns: number, data?: ArrayLike<number>): Matrix {
  return { rows, columns, data: data ? Float64Array.from(data) : new Float64Array(rows * columns) };
}

/** Uniform in -1 .. 1, each value exact in f32; the same seed gives the same matrix. */
export function randomMatrix(rows: number, columns: number, seed: number): Matrix {
  const result = matrix(rows, columns);
  let state = (seed * 2654435761 + 12345) >>> 0;
  for (let i = 0; i < result.data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    result.data[i] = Math.fround((state >>> 8) / 2 ** 23 - 1);
  }
  return result;
}

export function transposed(m: Matrix): Matrix {
  const result = matrix(m.columns, m.rows);
  for (let i = 0; i < m.rows; i++)
    for (let j = 0; j < m.columns; j++) result.data[j * m.rows + i] = m.data[i * m.columns + j];
  return result;
}

/** (M, K) times (K, N). */
export function product(a: Matrix, b: Matrix): Matrix {
  const result = matrix(a.rows, b.columns);
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < b.columns; j++) {
      let sum = 0;
      for (let k = 0; k < a.columns; k++)
        sum += a.data[i * a.columns + k] * b.data[k * b.columns + j];
      result.data[i * b.columns + j] = sum;
    }
  return result;
}

/** factor * a + b, element by element. */
export function scaledSum(factor: number, a: Matrix, b: Matrix): Matrix {
  return matrix(
    a.rows,
    a.columns,
    a.data.map((value, i) => factor * value + b.data[i]),
  );
}

export function withBias(m: Matrix, bias: ArrayLike<number>): Matrix {
  return matrix(
    m.rows,
    m.columns,
    m.data.map((value, i) => value + bias[i % m.columns]),
  );
}

/** Sum of each column. */
export function columnSums(m: Matrix): Float64Array {
  const sums = new Float64Array(m.columns);
  m.data.forEach((value, i) => (sums[i % m.columns] += value));
  return sums;
}

/**
 * Largest difference, in units of the scale that rounding errors of such a sum have: the root mean
 * square of the expected values, and no less than the value itself.
 */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let squares = 0;
  for (let i = 0; i < expected.length; i++) squares += expected[i] * expected[i];
  const scale = Math.sqrt(squares / expected.length) || 1;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]) / Math.max(scale, Math.abs(expected[i]));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

const F32 = new Float32Array(1);
const F32_BITS = new Uint32Array(F32.buffer);

/** Bits of the nearest bf16, ties to even. */
export function toBf16(value: number): number {
  F32[0] = value;
  const bits = F32_BITS[0];
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBf16(bits: number): number {
  F32_BITS[0] = bits << 16;
  return F32[0];
}

/** Bits of the f16 at or next below `value` in magnitude; exact for what fromF16 returns. Normal range only. */
export function toF16(value: number): number {
  if (value === 0) return 0;
  const sign = value < 0 ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const mantissa = Math.floor((magnitude / 2 ** exponent) * 1024);
  if (mantissa < 1024) return sign | mantissa;
  return sign | ((exponent + 15) << 10) | (mantissa - 1024);
}

export function fromF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  return (
    sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15))
  );
}

/** The matrix as a storage type holds it, so that an oracle starts from the same numbers. */
export function roundedTo(m: Matrix, dtype: DType): Matrix {
  if (dtype === 'f16')
    return matrix(
      m.rows,
      m.columns,
      m.data.map((x) => fromF16(toF16(x))),
    );
  if (dtype === 'bf16')
    return matrix(
      m.rows,
      m.columns,
      m.data.map((x) => fromBf16(toBf16(x))),
    );
  return m;
}

export function upload(gpu: Gpu, label: string, m: Matrix, dtype: DType = 'f32'): Tensor {
  const shape = [m.rows, m.columns];
  if (dtype === 'f32') return gpu.createTensor(label, shape, dtype, Float32Array.from(m.data));
  const encode = dtype === 'f16' ? toF16 : toBf16;
  return gpu.createTensor(label, shape, dtype, Uint16Array.from(m.data, encode));
}

/** Records, builds and runs a plan once, reads the tensors that `record` returns, frees what it made. */
export async function runPlan(
  gpu: Gpu,
  record: (plan: PlanBuilder) => readonly Tensor[],
): Promise<Float32Array[]> {
  const builder = new PlanBuilder(gpu, 'test');
  const results = record(builder);
  for (const tensor of results) builder.keep(tensor);
  const arena = new Arena(gpu, 'test arena');
  const plan = await builder.build(arena);
  try {
    await plan.run();
    return await Promise.all(results.map((tensor) => gpu.readFloats(tensor)));
  } finally {
    plan.dispose();
    arena.dispose();
  }
}
