/**
 * NF4, QLoRA's 4-bit type (arXiv 2305.14314), as bitsandbytes has it (`csrc/kernels.cu`, `dQuantizeNF4`;
 * `functional.py`, `quantize_4bit`): blocks of 64 weights share their largest magnitude, and the magnitudes are
 * quantised again to 8 bits. A block may span rows. Every step is one operation in f32, so that codes and values
 * are bitsandbytes' own.
 */
import { dynamicMap, midpoints, nearestCode } from './dynamic-map';

/** Weights that share a magnitude. */
export const NF4_BLOCK = 64;
/** Magnitudes that share one of their own. */
const NESTED_BLOCK = 256;

/** Quantiles of a normal distribution, scaled to -1 .. 1; code 7 is zero. */
export const NF4_CODES: Readonly<Float32Array> = Float32Array.of(
  -1.0,
  -0.6961928009986877,
  -0.5250730514526367,
  -0.39491748809814453,
  -0.28444138169288635,
  -0.18477343022823334,
  -0.09105003625154495,
  0.0,
  0.07958029955625534,
  0.16093020141124725,
  0.24611230194568634,
  0.33791524171829224,
  0.44070982933044434,
  0.5626170039176941,
  0.7229568362236023,
  1.0,
);
const ZERO_CODE = 7;

export interface Nf4Weights {
  /** (ceil(count / 2)): the first of two codes in the high nibble, the code of zero after an odd end. */
  readonly packed: Uint8Array<ArrayBuffer>;
  /** (ceil(count / 64)): the largest magnitude of each block. */
  readonly absmax: Float32Array<ArrayBuffer>;
}

/** The second quantisation: of the magnitudes less their mean, in blocks of 256. */
export interface NestedAbsmax {
  /** One for each magnitude, in the signed dynamic code book. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** Largest magnitude of each block of magnitudes. */
  readonly absmax: Float32Array<ArrayBuffer>;
  /** Mean of the magnitudes. */
  readonly offset: number;
}

/**
 * A cut of -1 .. 1 so fine that no part holds two of the boundaries between codes: a value's part tells its
 * code but for one comparison.
 */
const PARTS = 1024;
const BOUNDARIES = midpoints(NF4_CODES as Float32Array);
/** Code of a value at the start of each part, and the boundary inside it. One part more for 1 itself. */
const PART_CODES = new Uint8Array(PARTS + 1);
const PART_BOUNDARIES = new Float64Array(PARTS + 1);
for (let part = 0; part <= PARTS; part++) {
  const start = (2 * part) / PARTS - 1;
  const code = BOUNDARIES.filter((boundary) => boundary < start).length;
  PART_CODES[part] = code;
  PART_BOUNDARIES[part] = BOUNDARIES[code] < start + 2 / PARTS ? BOUNDARIES[code] : Infinity;
}

/** @param values finite, of any shape, row by row */
export function quantizeNf4(values: Float32Array): Nf4Weights {
  const count = values.length;
  const absmax = new Float32Array(Math.ceil(count / NF4_BLOCK));
  const packed = new Uint8Array(Math.ceil(count / 2));
  for (let block = 0; block < absmax.length; block++) {
    const begin = block * NF4_BLOCK;
    const end = Math.min(begin + NF4_BLOCK, count);
    const largest = largestMagnitude(values, begin, end);
    absmax[block] = largest;
    const factor = reciprocal(largest);
    for (let i = begin; i < end; i += 2) {
      const high = codeOf(values[i], factor);
      const low = i + 1 < end ? codeOf(values[i + 1], factor) : ZERO_CODE;
      packed[i >> 1] = (high << 4) | low;
    }
  }
  return { packed, absmax };
}

/** @param count of values; the last byte may hold one that is none */
export function dequantizeNf4(
  { packed, absmax }: Pick<Nf4Weights, 'packed' | 'absmax'>,
  count: number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const byte = packed[i >> 1];
    const code = i % 2 === 0 ? byte >> 4 : byte & 15;
    values[i] = NF4_CODES[code] * absmax[Math.floor(i / NF4_BLOCK)];
  }
  return values;
}

export function nestAbsmax(absmax: Float32Array): NestedAbsmax {
  const { boundaries } = dynamicBook();
  const offset = Math.fround(absmax.reduce((sum, value) => sum + value, 0) / absmax.length);
  const shifted = absmax.map((value) => value - offset);
  const codes = new Uint8Array(absmax.length);
  const nested = new Float32Array(Math.ceil(absmax.length / NESTED_BLOCK));
  for (let block = 0; block < nested.length; block++) {
    const begin = block * NESTED_BLOCK;
    const end = Math.min(begin + NESTED_BLOCK, absmax.length);
    nested[block] = largestMagnitude(shifted, begin, end);
    const factor = reciprocal(nested[block]);
    for (let i = begin; i < end; i++)
      codes[i] = nearestCode(Math.fround(shifted[i] * factor), boundaries);
  }
  return { codes, absmax: nested, offset };
}

/** The magnitudes that a nested form stands for. */
export function restoreAbsmax({ codes, absmax, offset }: NestedAbsmax): Float32Array<ArrayBuffer> {
  const { values } = dynamicBook();
  const restored = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++)
    restored[i] = Math.fround(values[codes[i]] * absmax[Math.floor(i / NESTED_BLOCK)]) + offset;
  return restored;
}

let book: { values: Float32Array; boundaries: Float32Array } | undefined;

function dynamicBook() {
  if (!book) {
    const values = dynamicMap(true);
    book = { values, boundaries: midpoints(values) };
  }
  return book;
}

/** What bitsandbytes takes for the largest magnitude of a block of zeros, and of smaller ones than this. */
const SMALLEST_MAGNITUDE = Math.fround(1e-38);

/** A product with the rounded reciprocal, as bitsandbytes has it, is not always the quotient. */
const reciprocal = (largest: number) => Math.fround(1 / Math.max(largest, SMALLEST_MAGNITUDE));

function codeOf(value: number, factor: number): number {
  const scaled = Math.fround(value * factor);
  const part = ((scaled + 1) * (PARTS / 2)) | 0;
  return scaled > PART_BOUNDARIES[part] ? PART_CODES[part] + 1 : PART_CODES[part];
}

function largestMagnitude(values: Float32Array, begin: number, end: number): number {
  let largest = 0;
  for (let i = begin; i < end; i++) {
    const magnitude = Math.abs(values[i]);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}
