/** Factors on the columns of a matrix in float64, and column-wise dot products, the gradient of such factors. */

export function columnScale(
  x: ArrayLike<number>,
  factors: ArrayLike<number>,
  { shift = 0, bias }: { shift?: number; bias?: ArrayLike<number> } = {},
): Float64Array {
  const C = factors.length;
  return Float64Array.from(
    x,
    (value, i) => value * (factors[i % C] + shift) + (bias ? bias[i % C] : 0),
  );
}

/** @returns factors * sum over rows of a * b, (C) */
export function columnDot(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  C: number,
  factors?: ArrayLike<number>,
): Float64Array {
  const sums = new Float64Array(C);
  for (let i = 0; i < a.length; i++) sums[i % C] += a[i] * b[i];
  return factors ? sums.map((sum, c) => sum * factors[c]) : sums;
}
