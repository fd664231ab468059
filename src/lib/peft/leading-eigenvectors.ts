/** Largest eigenvalues of a symmetric matrix and their vectors, by ml-matrix (tridiagonal QL, as in EISPACK). */
import { EigenvalueDecomposition, WrapperMatrix1D } from 'ml-matrix';
import type { Matrix } from './weight-factors';

/** @returns values, descending; vectors (rows, count), a column each */
export function leadingEigenvectors(
  { data, rows }: Matrix,
  count: number,
): { values: Float64Array; vectors: Matrix } {
  const whole = new WrapperMatrix1D(data as unknown as number[], { rows });
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(whole, {
    assumeSymmetric: true,
  });
  const values = new Float64Array(count);
  const vectors = new Float64Array(rows * count);
  for (let k = 0; k < count; k++) {
    // They come in ascending order.
    const column = rows - 1 - k;
    values[k] = realEigenvalues[column];
    for (let i = 0; i < rows; i++) vectors[i * count + k] = eigenvectorMatrix.get(i, column);
  }
  return { values, vectors: { data: vectors, rows, columns: count } };
}
