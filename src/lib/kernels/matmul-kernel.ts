/**
 * Which text computes a product, over which grid: the variant's tiles, their heights, and the swap of
 * sides. Knows no tensors, only sizes and strides.
 */
import { bandTiles, matmulImages, type ImageLayout } from './matmul-images';
import { matmulLoads, storesQuads, type Loads, type Product, type Strides } from './matmul-loads';
import BROADCAST from './matmul-broadcast.wgsl?raw';
import IMAGE from './matmul-image.wgsl?raw';
import QUAD from './matmul-quad.wgsl?raw';
import REGISTER from './matmul-register.wgsl?raw';
import SIZES from './matmul-sizes.wgsl?raw';
import STORE_ANY from './matmul-store-any.wgsl?raw';
import STORE_QUADS from './matmul-store-quads.wgsl?raw';
import SUBGROUP from './matmul-subgroup.wgsl?raw';
import TILE_F16 from './matmul-tile-f16.wgsl?raw';
import TILE_F32 from './matmul-tile-f32.wgsl?raw';
import TILED from './matmul-tiled.wgsl?raw';
import type { MatmulVariant } from './matmul-variant';
import { biasPrelude, weightPrelude, type WeightDType } from './weight';

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
  readonly images?: MatmulAsImages;
}

/** Both operands are bound as images, of which the left begins with the first element that takes part. */
export interface MatmulAsImages {
  readonly left: ImageLayout;
  readonly right: ImageLayout;
  /** Tiles of rows in a band of the grid, see matmul-image.wgsl. */
  readonly band: number;
}

export interface MatmulOperands {
  readonly bType: WeightDType;
  readonly biasType: WeightDType;
  /** First element of `a` that takes part. */
  readonly aOffset: number;
  readonly outStrides: Strides;
  readonly outOffset: number;
  /** Operands rounded to 16 bits, which the variant `tiled` alone does. */
  readonly fp16: boolean;
  /** Layers that an image may have on this device. */
  readonly maxImageLayers: number;
}

/** Of `image`, where images do not pay or do not fit (matmul-images.ts), the kernel of `subgroup`. */
export function matmulKernel(
  variant: MatmulVariant,
  product: Product,
  operands: MatmulOperands,
): MatmulKernel {
  const { bType, aOffset, maxImageLayers, fp16 } = operands;
  const { M, N, K } = product;
  if (variant === 'image') {
    const loads = matmulImages(product, aOffset, bType, maxImageLayers);
    if (!loads) return matmulKernel('subgroup', product, operands);
    const kernel = subgroupKernel('image', IMAGE, product, operands, loads);
    const { rows } = kernel.tile;
    const band = bandTiles(K, rows, Math.ceil(M / rows));
    return { ...kernel, images: { left: loads.left, right: loads.right, band } };
  }
  const loads = matmulLoads(product, aOffset, LANES[variant]);
  if (variant === 'subgroup') return subgroupKernel('subgroup', SUBGROUP, product, operands, loads);
  const { name, prelude } = kernelParts(product, operands, loads);
  switch (variant) {
    case 'tiled': {
      const [x, y] = N <= 16 ? [4, 16] : M <= 16 ? [32, 2] : [16, 8];
      return {
        name: name(fp16 ? 'tiled-fp16' : 'tiled'),
        wgsl: (fp16 ? `enable f16;\n${TILE_F16}` : TILE_F32) + prelude + TILED,
        constants: { THREADS_X: x, THREADS_Y: y },
        tile: { rows: 8 * y, columns: 4 * x },
        block: { rows: 8, columns: 4 },
      };
    }
    case 'quad':
      return {
        name: name('quad'),
        wgsl: `enable subgroups;\n${prelude}${QUAD}`,
        tile: { rows: 8, columns: 16 },
        block: { rows: 8, columns: 4 },
      };
    case 'broadcast':
      return {
        name: name('broadcast'),
        wgsl: `enable subgroups;\n${prelude}${BROADCAST}`,
        tile: { rows: BROADCAST_ROWS, columns: BROADCAST_COLUMNS },
        block: { rows: BROADCAST_ROWS, columns: 4 },
      };
    case 'register': {
      const threadsX = registerThreadsX(M, N);
      return {
        name: name('register'),
        wgsl: prelude + REGISTER,
        tile: { rows: (8 * REGISTER_THREADS) / threadsX, columns: 8 * threadsX },
        block: { rows: 8, columns: 8 },
        threadsX,
      };
    }
  }
}

/** What stands before a variant's text, and how the kernel is called. */
function kernelParts(
  { N }: Product,
  { bType, biasType, outStrides, outOffset }: MatmulOperands,
  loads: Loads,
) {
  const isQuads = storesQuads(N, outStrides, outOffset);
  const types = weightPrelude(bType) + biasPrelude(biasType) + SIZES;
  return {
    prelude: types + loads.wgsl + (isQuads ? STORE_QUADS : STORE_ANY),
    name: (idea: string) => `matmul-${idea}-${loads.name}-${isQuads ? 'quads' : 'any'}-${bType}`,
  };
}

function subgroupKernel(
  idea: string,
  wgsl: string,
  product: Product,
  operands: MatmulOperands,
  loads: Loads,
): MatmulKernel {
  const { name, prelude } = kernelParts(product, operands, loads);
  const rows = subgroupRows(product);
  return {
    name: name(`${idea}-${rows}`),
    wgsl: `enable subgroups;\nconst OCTETS = ${rows / 8}u;\n${prelude}${wgsl}`,
    tile: { rows, columns: SUBGROUP_COLUMNS },
    block: { rows, columns: 4 },
  };
}

/** Over how many lanes the rows of `a` are spread. */
const LANES = { tiled: 1, register: 1, quad: 4, subgroup: 8, image: 8, broadcast: 8 } as const;

const REGISTER_THREADS = 64;

/** 8 by 8 invocations, or a line of them along the longer side of a product that is 1 or 2 blocks thin. */
function registerThreadsX(M: number, N: number): number {
  if (N <= 16) return N <= 8 ? 1 : 2;
  if (M <= 16) return M <= 8 ? REGISTER_THREADS : REGISTER_THREADS / 2;
  return 8;
}

const SUBGROUP_COLUMNS = 32;

/** Time of a step of k by the rows of a tile, in any unit; measured on lavapipe, where images change it little. */
const SUBGROUP_TILE_COST = { 8: 8.8, 32: 21.3 } as const;
type SubgroupRows = keyof typeof SUBGROUP_TILE_COST;

function subgroupCost({ M, N }: Product, rows: SubgroupRows): number {
  return Math.ceil(N / SUBGROUP_COLUMNS) * Math.ceil(M / rows) * SUBGROUP_TILE_COST[rows];
}

function subgroupRows(product: Product): SubgroupRows {
  return subgroupCost(product, 32) < subgroupCost(product, 8) ? 32 : 8;
}

/** Rows and columns of matmul-broadcast.wgsl. */
const BROADCAST_ROWS = 16;
const BROADCAST_COLUMNS = 256;

function broadcastCost({ M, N }: Product): number {
  return Math.ceil(M / BROADCAST_ROWS) * Math.ceil(N / BROADCAST_COLUMNS);
}

/** Whether out^T = b^T a^T is less work: tiles over subgroups are wide. */
export function betterSwapped(variant: MatmulVariant, product: Product): boolean {
  if (LANES[variant] !== 8) return false;
  const costOf = (of: Product) =>
    variant === 'broadcast' ? broadcastCost(of) : subgroupCost(of, subgroupRows(of));
  return costOf(swapped(product)) < costOf(product);
}

export function swapped({ M, N, K, a, b, out }: Product): Product {
  const turned = ({ row, column }: Strides): Strides => ({ row: column, column: row });
  return { M: N, N: M, K, a: turned(b), b: turned(a), out: turned(out) };
}
