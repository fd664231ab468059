/**
 * Matrix products: out = alpha * op(a) @ op(b) [+ bias] [+ out]. The one entry for every dense product;
 * it checks shapes, picks a variant and splits K where a product would leave the GPU idle.
 * Knows nothing of layers. Sizes go through uniforms, so a new shape compiles nothing.
 */
import { elementCount, read, rootOf, update, write, type PlanBuilder, type Tensor } from '../gpu';
import { KernelError } from './errors';
import BLOCK_COLUMN_PAIRS from './matmul-block-column-pairs.wgsl?raw';
import BLOCK_ELEMENTS from './matmul-block-elements.wgsl?raw';
import BLOCK_ROW_PAIRS from './matmul-block-row-pairs.wgsl?raw';
import REDUCE from './matmul-reduce.wgsl?raw';
import REGISTER from './matmul-register.wgsl?raw';
import SIZES from './matmul-sizes.wgsl?raw';
import SUBGROUP from './matmul-subgroup.wgsl?raw';
import TILED from './matmul-tiled.wgsl?raw';
import { matmulVariantOf, type MatmulVariant } from './matmul-variant';
import { isWeightDType, WEIGHT_PRELUDE } from './weight';

/** A number of rows that is known only when the plan runs; rows after it cost almost nothing. */
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
  /** (N), f32. */
  readonly bias?: Tensor;
  /** Factor of the product, before bias and out; 1 when left out. */
  readonly alpha?: number;
  /** Adds to what `out` holds. */
  readonly accumulate?: boolean;
  /** (M, N), f32; made when left out. */
  readonly out?: Tensor;
  readonly rows?: MatmulRows;
  readonly variant?: MatmulVariant;
}

const FLAG_BIAS = 1;
const FLAG_ACCUMULATE = 2;
const FLAG_LIMIT = 4;
const FLAG_SPLIT = 8;

/** Workgroups of 64 by 64 below which K is split, and how many the splits aim at. */
const BUSY_TILES = 24;
/** Shortest part of K worth a workgroup of its own. */
const SHORTEST_SPLIT = 128;
const MOST_SPLITS = 32;

/** Parts that K is cut into. A function of the shape alone, so that every adapter adds in the same order. */
export function splitCount(M: number, N: number, K: number): number {
  const tiles = Math.ceil(M / 64) * Math.ceil(N / 64);
  const wanted = Math.min(
    MOST_SPLITS,
    Math.floor(BUSY_TILES / tiles),
    Math.floor(K / SHORTEST_SPLIT),
  );
  return Math.max(1, wanted);
}

/** Parts are multiples of this, the depth of a tile. */
const SPLIT_UNIT = 16;

/**
 * Appends one product (two dispatches where K is split) and returns `out`.
 * @throws KernelError `shape`, `dtype`
 */
export function matmul(plan: PlanBuilder, args: MatmulArgs): Tensor {
  const { label, a, b, bias, rows } = args;
  const transposeA = args.transposeA ?? false;
  const transposeB = args.transposeB ?? false;
  const accumulate = args.accumulate ?? false;
  const [aRows, K] = matrixSizes(label, 'a', a, transposeA);
  const [bK, N] = matrixSizes(label, 'b', b, transposeB);
  expectF32(label, 'a', a);
  if (!isWeightDType(b.dtype))
    throw new KernelError(
      'dtype',
      `${label}: b (${b.label}) is ${b.dtype}, allowed are f32, f16 and bf16.`,
    );
  if (K !== bK)
    throw new KernelError(
      'shape',
      `${label}: a (${a.label}) has K = ${K} and b (${b.label}) has K = ${bK}; the inner sizes must be equal.`,
    );
  const M = rows?.total ?? aRows;
  if (rows) checkRows(label, rows, a, aRows, transposeA);
  if (bias) {
    expectF32(label, 'bias', bias);
    if (elementCount(bias.shape) !== N)
      throw new KernelError(
        'shape',
        `${label}: bias (${bias.label}) has shape [${bias.shape}], [${N}] is needed.`,
      );
  }
  if (accumulate && !args.out)
    throw new KernelError('shape', `${label}: accumulate needs an out to add to.`);
  const out = args.out ?? plan.tensor(`${label}/out`, [M, N]);
  expectF32(label, 'out', out);
  const outFirst = rows?.outFirst ?? 0;
  if (
    out.shape.length !== 2 ||
    out.shape[1] !== N ||
    (rows ? out.shape[0] < outFirst + M : out.shape[0] !== M)
  )
    throw new KernelError(
      'shape',
      `${label}: out (${out.label}) has shape [${out.shape}], [${outFirst + M}, ${N}] is needed.`,
    );
  for (const [name, tensor] of [
    ['a', a],
    ['b', b],
    ['bias', bias],
  ] as const)
    if (tensor && rootOf(tensor) === rootOf(out))
      throw new KernelError(
        'shape',
        `${label}: out (${out.label}) is also ${name}; it needs memory of its own.`,
      );

  const splits = splitCount(M, N, K);
  const splitLength = splits === 1 ? K : Math.ceil(K / splits / SPLIT_UNIT) * SPLIT_UNIT;
  const planes = Math.ceil(K / splitLength);
  const limit = rows?.count ?? a;
  const flags =
    (bias ? FLAG_BIAS : 0) | (accumulate ? FLAG_ACCUMULATE : 0) | (rows ? FLAG_LIMIT : 0);
  const alpha = floatBits(args.alpha ?? 1);
  const outOffset = outFirst * N;
  const target = planes > 1 ? plan.tensor(`${label}/planes`, [planes, M, N]) : out;
  const product: Product = {
    M,
    N,
    K,
    a: transposeA ? { row: 1, column: aRows } : { row: K, column: 1 },
    b: transposeB ? { row: 1, column: K } : { row: N, column: 1 },
    aOffset: (rows?.aFirst ?? 0) * K,
  };
  const { wgsl, name, constants, tile } = kernelFor(
    args.variant ?? matmulVariantOf(plan.gpu),
    product,
    b.dtype,
  );
  plan.dispatch({
    label,
    kernel: { name, wgsl, constants },
    bindings: [
      read(a),
      read(b),
      read(bias ?? a),
      read(limit),
      planes === 1 && accumulate ? update(target) : write(target),
    ],
    uniforms: [
      M,
      N,
      K,
      product.a.row,
      product.a.column,
      product.b.row,
      product.b.column,
      N,
      1,
      product.aOffset,
      planes > 1 ? 0 : outOffset,
      alpha,
      planes > 1 ? FLAG_SPLIT | (flags & FLAG_LIMIT) : flags,
      splitLength,
      rows?.countWord ?? 0,
      rows?.first ?? 0,
    ],
    grid: [Math.ceil(N / tile.columns), Math.ceil(M / tile.rows), planes],
  });
  if (planes > 1) {
    const groups = Math.ceil((M * N) / 64);
    const most = plan.gpu.device.limits.maxComputeWorkgroupsPerDimension;
    const gridX = Math.min(groups, most);
    plan.dispatch({
      label: `${label}/reduce`,
      kernel: { name: 'matmul-reduce', wgsl: REDUCE },
      bindings: [read(target), read(bias ?? a), read(limit), accumulate ? update(out) : write(out)],
      uniforms: [
        M,
        N,
        planes,
        N,
        1,
        outOffset,
        alpha,
        flags,
        rows?.countWord ?? 0,
        rows?.first ?? 0,
      ],
      grid: [gridX, Math.ceil(groups / gridX)],
    });
  }
  return out;
}

interface Product {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly a: { readonly row: number; readonly column: number };
  readonly b: { readonly row: number; readonly column: number };
  readonly aOffset: number;
}

interface ChosenKernel {
  readonly name: string;
  readonly wgsl: string;
  readonly constants?: Record<string, number>;
  /** Rows and columns of `out` that a workgroup computes. */
  readonly tile: { readonly rows: number; readonly columns: number };
}

function kernelFor(
  variant: MatmulVariant,
  product: Product,
  dtype: 'f32' | 'f16' | 'bf16',
): ChosenKernel {
  const prelude = SIZES + WEIGHT_PRELUDE[dtype];
  if (variant === 'tiled') {
    const [x, y] = product.N <= 16 ? [4, 16] : product.M <= 16 ? [32, 2] : [16, 8];
    return {
      name: `matmul-tiled-${dtype}`,
      wgsl: prelude + TILED,
      constants: { THREADS_X: x, THREADS_Y: y },
      tile: { rows: 8 * y, columns: 4 * x },
    };
  }
  const [block, suffix] = blockFor(product, dtype);
  if (variant === 'subgroup')
    return {
      name: `matmul-subgroup-${suffix}`,
      wgsl: `enable subgroups;\n${prelude}${block}${SUBGROUP}`,
      tile: { rows: 16, columns: 32 },
    };
  return {
    name: `matmul-register-${suffix}`,
    wgsl: prelude + block + REGISTER,
    tile: { rows: 32, columns: 32 },
  };
}

/** Sixteen-bit neighbours are loaded as one word where no pair can straddle two words. */
function blockFor(
  { K, N, b }: Product,
  dtype: 'f32' | 'f16' | 'bf16',
): [wgsl: string, suffix: string] {
  if (dtype !== 'f32' && b.column === 1 && N % 2 === 0)
    return [BLOCK_ROW_PAIRS, `${dtype}-row-pairs`];
  if (dtype !== 'f32' && b.row === 1 && K % 2 === 0)
    return [BLOCK_COLUMN_PAIRS, `${dtype}-column-pairs`];
  return [BLOCK_ELEMENTS, dtype];
}

/** Rows and columns of op(tensor). */
function matrixSizes(
  label: string,
  name: string,
  tensor: Tensor,
  transposed: boolean,
): [number, number] {
  const { shape } = tensor;
  if (shape.length !== 2 || shape[0] < 1 || shape[1] < 1)
    throw new KernelError(
      'shape',
      `${label}: ${name} (${tensor.label}) has shape [${shape}], a matrix of two sizes from 1 is needed.`,
    );
  return transposed ? [shape[1], shape[0]] : [shape[0], shape[1]];
}

function expectF32(label: string, name: string, tensor: Tensor): void {
  if (tensor.dtype !== 'f32')
    throw new KernelError(
      'dtype',
      `${label}: ${name} (${tensor.label}) is ${tensor.dtype}, f32 is needed.`,
    );
}

function checkRows(
  label: string,
  rows: MatmulRows,
  a: Tensor,
  aRows: number,
  transposeA: boolean,
): void {
  if (rows.count.dtype !== 'u32')
    throw new KernelError(
      'dtype',
      `${label}: the row count (${rows.count.label}) is ${rows.count.dtype}, u32 is needed.`,
    );
  if (rows.countWord >= elementCount(rows.count.shape))
    throw new KernelError('shape', `${label}: the row count has no word ${rows.countWord}.`);
  if (transposeA)
    throw new KernelError('shape', `${label}: rows cannot be limited where a is transposed.`);
  if ((rows.aFirst ?? 0) + rows.total > aRows)
    throw new KernelError(
      'shape',
      `${label}: rows ${rows.aFirst ?? 0} to ${(rows.aFirst ?? 0) + rows.total} were asked of a (${a.label}), it has ${aRows}.`,
    );
}

/** The u32 that carries an f32 through a uniform struct of u32 fields. */
export function floatBits(value: number): number {
  return new Uint32Array(new Float32Array([value]).buffer)[0];
}
