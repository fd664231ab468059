/**
 * Conversions between f32 and the 16-bit floats. Widening is exact for every bit pattern; narrowing
 * rounds to nearest, ties to even, as IEEE 754 and PyTorch do. NaNs stay NaNs (quiet), infinities
 * stay infinities, and what is too large becomes one: look for it with `findNonFinite`.
 */
import { FormatError } from '../errors';

export type FloatDtype = 'F32' | 'F16' | 'BF16';

const FLOAT_BYTES: Record<FloatDtype, number> = { F32: 4, F16: 2, BF16: 2 };

/** Little-endian bytes of a tensor to a fresh Float32Array. Throws on a length that does not fit. */
export function tensorToFloat32(bytes: Uint8Array, dtype: FloatDtype): Float32Array<ArrayBuffer> {
  const width = FLOAT_BYTES[dtype];
  if (width === undefined) {
    throw new FormatError(
      'unsupported',
      `dtype ${String(dtype)} is no float of 16 or 32 bits; F32, F16 and BF16 are allowed.`,
    );
  }
  if (bytes.byteLength % width !== 0) {
    throw new FormatError(
      'invalid-value',
      `${bytes.byteLength} bytes are no whole number of ${dtype} values (${width} bytes each).`,
    );
  }
  const count = bytes.byteLength / width;
  if (dtype === 'F32') {
    const copy = new Uint8Array(bytes.byteLength);
    copy.set(bytes);
    return new Float32Array(copy.buffer);
  }
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  const halves = new Uint16Array(aligned.buffer, aligned.byteOffset, count);
  const out = new Float32Array(count);
  const bits = new Uint32Array(out.buffer);
  if (dtype === 'BF16') {
    for (let i = 0; i < count; i++) bits[i] = halves[i] << 16;
  } else {
    const { low, high, offset } = f16Tables();
    for (let i = 0; i < count; i++) {
      const h = halves[i];
      bits[i] = low[offset[h >> 10] + (h & 0x3ff)] + high[h >> 10];
    }
  }
  return out;
}

/** F16 bit patterns of f32 values. */
export function float32ToF16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const source = bitsOf(values);
  const out = new Uint16Array(source.length);
  for (let i = 0; i < source.length; i++) out[i] = f16Bits(source[i]);
  return out;
}

/** BF16 bit patterns of f32 values. */
export function float32ToBf16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const source = bitsOf(values);
  const out = new Uint16Array(source.length);
  for (let i = 0; i < source.length; i++) {
    const x = source[i];
    // A NaN whose payload sits in the low half would round to infinity: keep its quiet bit instead.
    if ((x & 0x7fffffff) > 0x7f800000) out[i] = (x >>> 16) | 0x40;
    else out[i] = (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** Index of the first NaN or infinity, or -1. */
export function findNonFinite(values: Float32Array): number {
  const bits = bitsOf(values);
  for (let i = 0; i < bits.length; i++) if ((bits[i] & 0x7f800000) === 0x7f800000) return i;
  return -1;
}

const bitsOf = (values: Float32Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length);

function f16Bits(x: number): number {
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff);
  // 65520 and above is nearer to 65536 than to 65504, the largest half: infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rounded = magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1);
    return sign | (rounded >>> 13);
  }
  // Subnormal halves: units of 2^-24. Below 2^-25 (or at it, a tie with even zero) all is zero.
  if (magnitude <= 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const half = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return sign | (half + (rest > tie || (rest === tie && (half & 1) === 1) ? 1 : 0));
}

interface F16Tables {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  readonly offset: Uint16Array;
}
let tables: F16Tables | undefined;

/** "Fast Half Float Conversions" (van der Zijp, 2012): mantissa, exponent and offset tables. */
function f16Tables(): F16Tables {
  if (tables) return tables;
  const low = new Uint32Array(2048);
  for (let i = 1; i < 1024; i++) {
    let mantissa = i << 13;
    let exponent = 0;
    while ((mantissa & 0x800000) === 0) {
      exponent -= 0x800000;
      mantissa <<= 1;
    }
    low[i] = (mantissa & ~0x800000) + exponent + 0x38800000;
  }
  for (let i = 1024; i < 2048; i++) low[i] = 0x38000000 + ((i - 1024) << 13);
  const high = new Uint32Array(64);
  const offset = new Uint16Array(64).fill(1024);
  for (let i = 1; i < 31; i++) {
    high[i] = i << 23;
    high[32 + i] = 0x80000000 + (i << 23);
  }
  high[31] = 0x47800000;
  high[32] = 0x80000000;
  high[63] = 0xc7800000;
  offset[0] = offset[32] = 0;
  tables = { low, high, offset };
  return tables;
}
