/** DoRA's row norms in float64, from the matrix W + scale B A itself. */
import { product, scaledSum, type Matrix } from './matmul';

/** @returns of each row: 1 / its norm, and magnitude / norm */
export function doraNorm(
  weight: Matrix,
  a: Matrix,
  b: Matrix,
  scale: number,
  magnitude: ArrayLike<number>,
): { inverseNorm: Float64Array; factor: Float64Array } {
  const { data, rows, columns } = scaledSum(scale, product(b, a), weight);
  const inverseNorm = Float64Array.from({ length: rows }, (_, row) => {
    const values = data.subarray(row * columns, (row + 1) * columns);
    return 1 / Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  });
  return { inverseNorm, factor: inverseNorm.map((value, row) => value * magnitude[row]) };
}
