/**
 * PEFT's `orthogonal` start (tuners/lora/layer.py `orthogonal_init`): the rows of a random orthogonal matrix Q (R, R)
 * are dealt out, the first, third ... to A and the second, fourth ... to B. What is of different rows is orthogonal,
 * so B A is zero though neither A nor B is. Sums in float64; what is drawn is for the caller to draw.
 */
import { householderQr } from './householder-qr';
import { multiply, transpose, type Matrix } from './weight-factors';

/** Standard normals, row-major, in the order in which PEFT draws them. */
export interface OrthogonalDraws {
  /** (R, R); its Q counts, with LAPACK's signs. */
  readonly square: Float64Array;
  /** (in, R / 2) */
  readonly forA: Float64Array;
  /** (R / 2, out) */
  readonly forB: Float64Array;
}

/** PEFT divides both factors by it. */
const DIVISOR = 10;

/**
 * @param rank even
 * @param draw as many standard normals as it is asked for, row-major
 */
export const drawOrthogonal = (
  rank: number,
  [outFeatures, inFeatures]: readonly [number, number],
  draw: (count: number) => Float64Array,
): OrthogonalDraws => ({
  square: draw(rank * rank),
  forA: draw(inFeatures * (rank / 2)),
  forB: draw((rank / 2) * outFeatures),
});

/** @returns a (R, in), b (out, R) */
export function orthogonalFactors(
  rank: number,
  [outFeatures, inFeatures]: readonly [number, number],
  { square, forA, forB }: OrthogonalDraws,
): { a: Float32Array; b: Float32Array } {
  const half = rank / 2;
  const { q } = householderQr({ data: square, rows: rank, columns: rank });
  const ofA = multiply({ data: forA, rows: inFeatures, columns: half }, everySecondRow(q, 0));
  const columnsOfB = transpose({ data: forB, rows: half, columns: outFeatures });
  const ofB = multiply(columnsOfB, everySecondRow(q, 1));
  return {
    a: Float32Array.from(transpose(ofA).data, (value) => value / DIVISOR),
    b: Float32Array.from(ofB.data, (value) => value / DIVISOR),
  };
}

function everySecondRow({ data, rows, columns }: Matrix, first: 0 | 1): Matrix {
  const half = new Float64Array((rows / 2) * columns);
  for (let i = 0; i < rows / 2; i++) {
    const start = (2 * i + first) * columns;
    half.set(data.subarray(start, start + columns), i * columns);
  }
  return { data: half, rows: rows / 2, columns };
}
