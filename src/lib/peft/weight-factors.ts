/**
 * LoRA factors out of a weight W (out, in): PiSSA's B A = the part of its largest singular values
 * (arXiv 2404.02948), OLoRA's the first columns and rows of its QR factors (arXiv 2406.01775). W less
 * scale B A is what stays frozen. Sums in float64.
 */
import type { InitLoraWeights } from '../config';
import { Xoshiro128 } from '../config/random';
import { householderQr } from './householder-qr';
import { leadingEigenvectors } from './leading-eigenvectors';

export interface FactorOptions {
  readonly rank: number;
  readonly method: InitLoraWeights;
  /** Of B A: PiSSA divides it out, so that scale B A is the part itself. */
  readonly scale: number;
  /** Of the start of subspace iteration. */
  readonly seed: number;
}

/** @returns a (R, in), b (out, R) */
export function factorsOfWeight(
  weight: Float32Array,
  [outFeatures, inFeatures]: readonly [number, number],
  { rank, method, scale, seed }: FactorOptions,
): { a: Float32Array; b: Float32Array } {
  const w = { data: Float64Array.from(weight), rows: outFeatures, columns: inFeatures };
  if (method === 'olora') return orthonormalFactors(w, rank);
  const found = /_niter_(\d+)$/.exec(String(method));
  const rounds = found ? Number(found[1]) : undefined;
  const { u, s, v } = rounds === undefined ? exactSvd(w, rank) : iteratedSvd(w, rank, rounds, seed);
  const a = new Float32Array(rank * inFeatures);
  const b = new Float32Array(outFeatures * rank);
  for (let r = 0; r < rank; r++) {
    const root = Math.sqrt(s[r] / scale);
    for (let i = 0; i < inFeatures; i++) a[r * inFeatures + i] = root * v.data[i * v.columns + r];
    for (let o = 0; o < outFeatures; o++) b[o * rank + r] = root * u.data[o * u.columns + r];
  }
  return { a, b };
}

/** Row-major. */
export interface Matrix {
  readonly data: Float64Array;
  readonly rows: number;
  readonly columns: number;
}

interface Svd {
  /** (out, R) */
  u: Matrix;
  /** Descending. */
  s: Float64Array;
  /** (in, R) */
  v: Matrix;
}

/** From the eigenvectors of the smaller Gram matrix: exact for the large singular values, which are wanted. */
function exactSvd(w: Matrix, rank: number): Svd {
  if (w.rows > w.columns) {
    const { u, s, v } = exactSvd(transpose(w), rank);
    return { u: v, s, v: u };
  }
  const { values, vectors: u } = leadingEigenvectors(multiply(w, transpose(w)), rank);
  const s = values.map((value) => Math.sqrt(Math.max(0, value)));
  const v = multiply(transpose(w), u);
  divideColumns(v, s);
  return { u, s, v };
}

/** Randomised subspace iteration (Halko, Martinsson and Tropp 2011) with as many spare vectors as the rank. */
function iteratedSvd(w: Matrix, rank: number, rounds: number, seed: number): Svd {
  const width = Math.min(2 * rank + 2, w.rows, w.columns);
  const random = new Xoshiro128(seed);
  const start = new Float64Array(w.columns * width).map(() => random.nextNormal());
  let q = householderQr(multiply(w, { data: start, rows: w.columns, columns: width })).q;
  const wt = transpose(w);
  for (let round = 0; round < rounds; round++) {
    const p = householderQr(multiply(wt, q)).q;
    q = householderQr(multiply(w, p)).q;
  }
  const small = exactSvd(multiply(transpose(q), w), rank);
  return { u: multiply(q, small.u), s: small.s, v: small.v };
}

function orthonormalFactors(w: Matrix, rank: number) {
  const { q, r } = householderQr(w, rank);
  return { a: Float32Array.from(r.data), b: Float32Array.from(q.data) };
}

export function transpose({ data, rows, columns }: Matrix): Matrix {
  const out = new Float64Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j];
  return { data: out, rows: columns, columns: rows };
}

/** Row by row, so that the inner loop runs along memory. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const out = new Float64Array(a.rows * b.columns);
  for (let i = 0; i < a.rows; i++) {
    const row = out.subarray(i * b.columns, (i + 1) * b.columns);
    for (let k = 0; k < a.columns; k++) {
      const factor = a.data[i * a.columns + k];
      const start = k * b.columns;
      for (let j = 0; j < row.length; j++) row[j] += factor * b.data[start + j];
    }
  }
  return { data: out, rows: a.rows, columns: b.columns };
}

function divideColumns({ data, columns }: Matrix, by: Float64Array): void {
  for (let i = 0; i < data.length; i++) {
    const divisor = by[i % columns];
    data[i] = divisor > 0 ? data[i] / divisor : 0;
  }
}
