/**
 * How a matrix kernel loads its operands and stores its results: four elements at a time where they lie together and start at a
 * multiple of four, else one by one with strides. Knows layouts, not kernels.
 */
import FOUR_ALONG_ROWS from './matmul-four-along-rows.wgsl?raw';
import FOUR_ROWS from './matmul-four-rows.wgsl?raw';
import LANE_ALONG_K from './matmul-lane-along-k.wgsl?raw';
import LANE_ANY from './matmul-lane-any.wgsl?raw';
import LEFT_ALONG_K from './matmul-left-along-k.wgsl?raw';
import LEFT_ALONG_ROWS from './matmul-left-along-rows.wgsl?raw';
import LEFT_ANY from './matmul-left-any.wgsl?raw';
import OCTET_ALONG_ROWS from './matmul-octet-along-rows.wgsl?raw';
import OCTET_ROWS from './matmul-octet-rows.wgsl?raw';
import RIGHT_ALONG_COLUMNS from './matmul-right-along-columns.wgsl?raw';
import RIGHT_ALONG_K from './matmul-right-along-k.wgsl?raw';
import RIGHT_ANY from './matmul-right-any.wgsl?raw';

/** Elements from one row, and from one column, to the next; of an image in panels see ImageLayout. */
export interface Strides {
  readonly row: number;
  readonly column: number;
}

/** out (M, N) = a (M, K) @ b (K, N) */
export interface Product {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly a: Strides;
  readonly b: Strides;
  readonly out: Strides;
}

export interface Loads {
  /** For the kernel's name: pipelines of the same layouts are the same. */
  readonly name: string;
  readonly wgsl: string;
}

/** By how many invocations share what each loads of the left matrix. */
const LEFT = {
  1: { k: LEFT_ALONG_K, rows: LEFT_ALONG_ROWS, any: LEFT_ANY },
  4: { k: LANE_ALONG_K + FOUR_ROWS, rows: FOUR_ALONG_ROWS, any: LANE_ANY + FOUR_ROWS },
  8: { k: LANE_ALONG_K + OCTET_ROWS, rows: OCTET_ALONG_ROWS, any: LANE_ANY + OCTET_ROWS },
} as const;
const RIGHT = { k: RIGHT_ALONG_K, columns: RIGHT_ALONG_COLUMNS, any: RIGHT_ANY };

/**
 * The left text and the right text of a product.
 * @param aOffset first element of `a` that takes part
 * @param lanes of the subgroup that rows of `a` are spread over; 1 where they are not
 */
export function matmulLoads(
  { M, N, K, a, b }: Product,
  aOffset: number,
  lanes: keyof typeof LEFT,
): Loads {
  const left = !areQuads(aOffset)
    ? 'any'
    : a.column === 1 && areQuads(K, a.row)
      ? 'k'
      : a.row === 1 && areQuads(M, a.column)
        ? 'rows'
        : 'any';
  const right =
    b.row === 1 && areQuads(K, b.column)
      ? 'k'
      : b.column === 1 && areQuads(N, b.row)
        ? 'columns'
        : 'any';
  return { name: `${left}-${right}`, wgsl: LEFT[lanes][left] + RIGHT[right] };
}

/** Whether results lie together by fours that start at a multiple of four. */
export function storesQuads(N: number, { row, column }: Strides, outOffset: number): boolean {
  return column === 1 && areQuads(N, row, outOffset);
}

function areQuads(...sizes: number[]): boolean {
  return sizes.every((size) => size % 4 === 0);
}
