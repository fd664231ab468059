/**
 * The merge formulas, on one weight (out, in) in place, sums in float64. LoRA: W + s B A; DoRA: that with
 * each row scaled to its trained magnitude; IA3: rows, or columns, times the learned factors.
 */

export interface LowRank {
  /** (R, in) */
  readonly a: Float32Array;
  /** (out, R) */
  readonly b: Float32Array;
  readonly scale: number;
  readonly rank: number;
  /** (out), DoRA's. */
  readonly magnitude?: Float32Array;
}

export function mergeLora(
  weight: Float32Array,
  [outFeatures, inFeatures]: readonly [number, number],
  lowRank: LowRank,
): void {
  const row = new Float64Array(inFeatures);
  for (let o = 0; o < outFeatures; o++) {
    const stretch = tunedRow(row, weight, o, lowRank);
    for (let i = 0; i < inFeatures; i++) weight[o * inFeatures + i] = stretch * row[i];
  }
}

/** DoRA's factor of each row, magnitude / ||W + s B A||: (out). */
export function rowFactors(
  weight: Float32Array,
  [outFeatures, inFeatures]: readonly [number, number],
  lowRank: LowRank,
): Float32Array {
  const row = new Float64Array(inFeatures);
  return Float32Array.from({ length: outFeatures }, (_, o) => tunedRow(row, weight, o, lowRank));
}

/** Writes row `o` of W + s B A. @returns what DoRA multiplies it with, 1 without magnitudes */
function tunedRow(
  row: Float64Array,
  weight: Float32Array,
  o: number,
  { a, b, scale, rank, magnitude }: LowRank,
): number {
  const inFeatures = row.length;
  row.fill(0);
  for (let r = 0; r < rank; r++) {
    const factor = b[o * rank + r];
    if (factor === 0) continue;
    const start = r * inFeatures;
    for (let i = 0; i < inFeatures; i++) row[i] += factor * a[start + i];
  }
  const start = o * inFeatures;
  let norm = 0;
  for (let i = 0; i < inFeatures; i++) {
    row[i] = weight[start + i] + scale * row[i];
    norm += row[i] * row[i];
  }
  // A row of zeros has no direction to stretch and stays.
  return magnitude && norm !== 0 ? magnitude[o] / Math.sqrt(norm) : 1;
}

/** Length of each row of W + s B A, where DoRA's magnitudes start: (out). */
export function rowNorms(
  weight: Float32Array,
  [outFeatures, inFeatures]: readonly [number, number],
  lowRank: LowRank,
): Float32Array {
  const row = new Float64Array(inFeatures);
  return Float32Array.from({ length: outFeatures }, (_, o) => {
    tunedRow(row, weight, o, lowRank);
    return Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
  });
}

/** @param factors (out) on rows for `output`, (in) on columns for `input` */
export function mergeScaling(
  weight: Float32Array,
  [outFeatures, inFeatures]: readonly [number, number],
  factors: Float32Array,
  side: 'input' | 'output',
): void {
  for (let o = 0; o < outFeatures; o++)
    for (let i = 0; i < inFeatures; i++)
      weight[o * inFeatures + i] *= factors[side === 'output' ? o : i];
}
