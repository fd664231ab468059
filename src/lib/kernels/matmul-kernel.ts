/**
 * Which text computes a product, over which grid: the variant's tiles, the skinny forms, and the swap of
 * sides. Knows no tensors, only sizes and strides.
 */
import REGISTER from './matmul-register.wgsl?raw';
import SIZES from './matmul-sizes.wgsl?raw';
import SUBGROUP from './matmul-subgroup.wgsl?raw';
import SUBGROUP_SKINNY from './matmul-subgroup-skinny.wgsl?raw';
import TILED from './matmul-tiled.wgsl?raw';
import type { MatmulVariant } from './matmul-variant';
import { biasPrelude, weightPrelude, type WeightDType } from './weight';

/** Elements from one row, and from one column, to the next. */
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

export interface MatmulKernel {
  readonly name: string;
  readonly wgsl: string;
  readonly constants?: Readonly<Record<string, number>>;
  /** Rows and columns of `out` that a workgroup computes. */
  readonly tile: { readonly rows: number; readonly columns: number };
  /** Rows and columns of `out` that an invocation stores. */
  readonly block: { readonly rows: number; readonly columns: number };
  /** Invocations side by side along a row, where the text lets them be arranged. */
  readonly threadsX?: number;
}

export function matmulKernel(
  variant: MatmulVariant,
  { M, N }: Product,
  dtype: WeightDType,
  biasType: WeightDType,
): MatmulKernel {
  const prelude = weightPrelude(dtype) + biasPrelude(biasType) + SIZES;
  switch (variant) {
    case 'tiled': {
      const [x, y] = N <= 16 ? [4, 16] : M <= 16 ? [32, 2] : [16, 8];
      return {
        name: `matmul-tiled-${dtype}`,
        wgsl: prelude + TILED,
        constants: { THREADS_X: x, THREADS_Y: y },
        tile: { rows: 8 * y, columns: 4 * x },
        block: { rows: 8, columns: 4 },
      };
    }
    case 'subgroup': {
      const skinny = M <= SKINNY_ROWS;
      const rows = skinny ? 8 : 32;
      return {
        name: `matmul-subgroup-${skinny ? 'skinny-' : ''}${dtype}`,
        wgsl: `enable subgroups;\n${prelude}${skinny ? SUBGROUP_SKINNY : SUBGROUP}`,
        tile: { rows, columns: 32 },
        block: { rows, columns: 4 },
      };
    }
    case 'register': {
      const threadsX = registerThreadsX(M, N);
      return {
        name: `matmul-register-${dtype}`,
        wgsl: prelude + REGISTER,
        tile: { rows: (8 * REGISTER_THREADS) / threadsX, columns: 8 * threadsX },
        block: { rows: 8, columns: 8 },
        threadsX,
      };
    }
  }
}

const REGISTER_THREADS = 64;

/** 8 by 8 invocations, or a line of them along the longer side of a product that is 1 or 2 blocks thin. */
function registerThreadsX(M: number, N: number): number {
  if (N <= 16) return N <= 8 ? 1 : 2;
  if (M <= 16) return M <= 8 ? REGISTER_THREADS : REGISTER_THREADS / 2;
  return 8;
}

/** Up to here, tiles of 8 rows take less time than one of 32 that is partly idle. */
const SKINNY_ROWS = 16;

/** Whether out^T = b^T a^T is less work: tiles of the subgroup variant are wide, and of any height. */
export function betterSwapped(variant: MatmulVariant, { M, N }: Product): boolean {
  return variant === 'subgroup' && subgroupCost(N, M) < subgroupCost(M, N);
}

export function swapped({ M, N, K, a, b, out }: Product): Product {
  const turned = ({ row, column }: Strides): Strides => ({ row: column, column: row });
  return { M: N, N: M, K, a: turned(b), b: turned(a), out: turned(out) };
}

/** Cycles a step of k as measured on lavapipe: 135 for a tile of 8 rows, 334 for one of 32. */
function subgroupCost(M: number, N: number): number {
  return Math.ceil(N / 32) * (M <= SKINNY_ROWS ? Math.ceil(M / 8) * 135 : Math.ceil(M / 32) * 334);
}
