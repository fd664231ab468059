/**
 * Matrix products: out = alpha * op(a) @ op(b) [+ bias] [+ out]. The one entry for every dense product;
 * it checks shapes, picks a variant and splits K where a product would leave the GPU idle.
 * Knows nothing of layers. Sizes go through uniforms: a new shape compiles nothing
 * where it runs the same kernel.
 */
import { BYTES_PER_ELEMENT, image, read, type PlanBuilder, type Tensor } from '../gpu';
import { checkMatmul } from './matmul-checks';
import { floatBits } from './add-elementwise';
import { finishBindings, finishTimes, reducePlanes, type MatmulFinish } from './matmul-finish';
import { betterSwapped, matmulKernel, swapped } from './matmul-kernel';
import type { Product } from './matmul-loads';
import { matmulForm, matmulVariantOf, type MatmulVariant } from './matmul-variant';

/** A number of rows that is known only when the plan runs; rows after it cost no more than a copy of them. */
export interface MatmulRows {
  /** Rows that the grid covers: M of this product. `a` and `out` may hold more. */
  readonly total: number;
  /** u32 tensor that holds the number of live rows, counted from row 0 of `a` or of what it is a chunk of. */
  readonly count: Tensor;
  /** Which u32 of `count`. */
  readonly countWord: number;
  /** Row of the counted list that is row 0 here. */
  readonly first: number;
  /** First row of `a` that takes part; 0 when left out. */
  readonly aFirst?: number;
  /** First row of `out` that is written; 0 when left out. */
  readonly outFirst?: number;
}

export interface MatmulArgs {
  readonly label: string;
  /** (M, K), or (K, M) with transposeA; f32. */
  readonly a: Tensor;
  /** (K, N), or (N, K) with transposeB; f32, f16 or bf16. */
  readonly b: Tensor;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** (N); f32, f16 or bf16. */
  readonly bias?: Tensor;
  /** Factor of the product alone; 1 when left out. */
  readonly alpha?: number;
  /** Adds to what `out` holds. */
  readonly accumulate?: boolean;
  /** (M, N), f32; made when left out. */
  readonly out?: Tensor;
  readonly rows?: MatmulRows;
  readonly variant?: MatmulVariant;
  /**
   * Both operands are rounded to 16 bits on their way into workgroup memory; the sums stay in f32. Needs
   * `shader-f16`. The result is off by some 2^-11 of what its terms are.
   */
  readonly fp16?: boolean;
}

/**
 * Tiles of 64 by 64 that K's parts aim at, and the shortest part worth a workgroup of its own: few short
 * parts for a product that would leave even a small GPU idle, more and long ones for the sake of a large GPU.
 */
const SPLIT_AIMS = [
  { tiles: 24, shortest: 128 },
  { tiles: 128, shortest: 1024 },
] as const;
/** A few threads of a processor: the second kernel costs more than a thread that waits. */
const SOFTWARE_SPLIT_AIMS = [{ tiles: 4, shortest: 128 }] as const;
const MOST_SPLITS = 32;
/** Parts are multiples of this, the depth of a tile. */
const SPLIT_UNIT = 16;

/**
 * Parts that K is cut into. A function of the shape and the kind of adapter alone, so that every variant adds in
 * the same order.
 */
export function splitCount(M: number, N: number, K: number, isSoftware: boolean): number {
  const tiles = Math.ceil(M / 64) * Math.ceil(N / 64);
  const wanted = (isSoftware ? SOFTWARE_SPLIT_AIMS : SPLIT_AIMS).map((aim) =>
    Math.min(Math.floor(aim.tiles / tiles), Math.floor(K / aim.shortest)),
  );
  return Math.min(MOST_SPLITS, Math.max(1, ...wanted));
}

/**
 * Appends one product (two dispatches where K is split) and returns `out`.
 * @throws KernelError `shape`, `dtype`, `no-f16`
 */
export function matmul(plan: PlanBuilder, args: MatmulArgs): Tensor {
  const { label, a, b, bias, rows } = args;
  const { M, N, K, aRows, bType, biasType } = checkMatmul(args, plan.gpu);
  const accumulate = args.accumulate ?? false;
  const form = matmulForm(args.transposeA ?? false, args.transposeB ?? false);
  const fp16 = args.fp16 ?? false;
  const variant = fp16 ? 'tiled' : (args.variant ?? matmulVariantOf(plan.gpu, form));
  const out = args.out ?? plan.tensor(`${label}/out`, [M, N]);

  let product: Product = {
    M,
    N,
    K,
    a: args.transposeA ? { row: 1, column: aRows } : { row: K, column: 1 },
    b: args.transposeB ? { row: 1, column: K } : { row: N, column: 1 },
    out: { row: N, column: 1 },
  };
  const swap = bType === 'f32' && !bias && !rows && betterSwapped(variant, product);
  if (swap) product = swapped(product);
  const [left, right] = swap ? [b, a] : [a, b];

  const parts = splitCount(M, N, K, plan.gpu.isSoftware);
  const splitLength = parts === 1 ? K : Math.ceil(K / parts / SPLIT_UNIT) * SPLIT_UNIT;
  const planes = Math.ceil(K / splitLength);
  const isSplit = planes > 1;
  const target = isSplit ? plan.tensor(`${label}/planes`, [planes, M, N]) : out;
  const aOffset = (rows?.aFirst ?? 0) * K;
  const finish: MatmulFinish = {
    bias,
    biasType,
    out,
    outStrides: product.out,
    outOffset: (rows?.outFirst ?? 0) * N,
    alpha: floatBits(args.alpha ?? 1),
    accumulate,
    rows,
    // A binding that is not used must still be bound; `a` is read anyway.
    unused: a,
  };
  /** The first kernel of a split product leaves all but the sum of its part to the second. */
  const here: MatmulFinish = isSplit
    ? {
        ...finish,
        bias: undefined,
        out: target,
        outStrides: { row: product.N, column: 1 },
        outOffset: 0,
        alpha: floatBits(1),
        accumulate: false,
      }
    : finish;
  const kernel = matmulKernel(variant, product, {
    bType,
    biasType,
    aOffset,
    outStrides: here.outStrides,
    outOffset: here.outOffset,
    fp16,
    maxImageLayers: plan.gpu.device.limits.maxTextureArrayLayers,
  });
  const { name, wgsl, constants, tile, block, threadsX, images } = kernel;
  const leftPart = {
    start: aOffset * BYTES_PER_ELEMENT.f32,
    sizeBytes: product.M * K * BYTES_PER_ELEMENT.f32,
    rowBytes: images?.left.rowBytes,
  };
  const rightPart = { start: 0, sizeBytes: right.sizeBytes, rowBytes: images?.right.rowBytes };
  const operands = images
    ? [image(left, leftPart), image(right, rightPart)]
    : [read(left), read(right)];
  const leftStrides = images?.left.strides ?? product.a;
  const rightStrides = images?.right.strides ?? product.b;
  const across = Math.ceil(product.N / tile.columns);
  const down = Math.ceil(product.M / tile.rows);
  plan.dispatch({
    label,
    kernel: { name, wgsl, constants },
    bindings: [...operands, ...finishBindings(here)],
    uniforms: [
      product.M,
      product.N,
      K,
      leftStrides.row,
      leftStrides.column,
      rightStrides.row,
      rightStrides.column,
      here.outStrides.row,
      here.outStrides.column,
      isSplit ? M * N : 0,
      images ? 0 : aOffset,
      here.outOffset,
      splitLength,
      here.alpha,
      here.bias ? QUAD_COLUMNS : 0,
      ...finishTimes(here),
      block.rows,
      block.columns,
      QUAD_COLUMNS,
      threadsX ?? 1,
    ],
    grid: images
      ? [images.band, across * Math.ceil(down / images.band), planes]
      : [across, down, planes],
  });
  if (isSplit)
    reducePlanes(plan, `${label}/reduce`, { planes: target, M: product.M, N: product.N }, finish);
  return out;
}

/** A loop bound that the compiler is not to see; see matmul-sizes.wgsl. */
const QUAD_COLUMNS = 4;
