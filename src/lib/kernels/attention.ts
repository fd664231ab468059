/**
 * Causal attention with grouped keys and values and an optional sliding window. No T x T matrix is kept:
 * the forward leaves one number a query and head (lse) from which the backward finds its weights again.
 * Batches are right-padded: causal order alone keeps padding out of real rows, and padding has dOut 0.
 * With `firstKeys` a row holds several sequences, none of which sees another.
 */
import { GpuError, read, write, type PlanBuilder, type Tensor } from '../gpu';
import { floatBits, foldGrid, requireCount, requireTensor } from './add-elementwise';
import DELTA_WGSL from './attention-delta.wgsl?raw';
import KEYS_WGSL from './attention-keys.wgsl?raw';
import QUAD_KEYS_WGSL from './attention-quad-keys.wgsl?raw';
import QUAD_QUERIES_WGSL from './attention-quad-queries.wgsl?raw';
import QUAD_SHAPE_WGSL from './attention-quad-shape.wgsl?raw';
import QUAD_FORWARD_WGSL from './attention-quad.wgsl?raw';
import QUERIES_WGSL from './attention-queries.wgsl?raw';
import SEGMENTS_WGSL from './attention-segments.wgsl?raw';
import SHAPE_WGSL from './attention-shape.wgsl?raw';
import SHUFFLE_KEYS_WGSL from './attention-shuffle-keys.wgsl?raw';
import SHUFFLE_QUERIES_WGSL from './attention-shuffle-queries.wgsl?raw';
import SHUFFLE_SHAPE_WGSL from './attention-shuffle-shape.wgsl?raw';
import SHUFFLE_FORWARD_WGSL from './attention-shuffle.wgsl?raw';
import SUBGROUP_KEYS_WGSL from './attention-subgroup-keys.wgsl?raw';
import SUBGROUP_QUERIES_WGSL from './attention-subgroup-queries.wgsl?raw';
import SUBGROUP_SHAPE_WGSL from './attention-subgroup-shape.wgsl?raw';
import SUBGROUP_FORWARD_WGSL from './attention-subgroup.wgsl?raw';
import WHOLE_WGSL from './attention-whole.wgsl?raw';
import FORWARD_WGSL from './attention.wgsl?raw';
import { attentionVariantOf, shufflesAt, type AttentionVariant } from './attention-variant';
import { KernelError } from './errors';

const MIN_HEAD_DIM = 8;
const MAX_HEAD_DIM = 256;

/** Rows of a workgroup's tile, and the elements of ROWS x D that keep two tables within 16 KiB. */
const MAX_TILE_ROWS = 32;
const TILE_ELEMENTS = 2048;
/**
 * Rows of a tile of the narrow variant, as many as one thread has. SwiftShader clears each element of workgroup memory by
 * code of its own, so that tiles of 32 rows take it half a second a kernel to compile.
 */
const NARROW_ROWS = 4;

/** No window: larger than any T, small enough that a negative distance, wrapped, is larger still. */
const NO_WINDOW = 0x80000000;

const WORKGROUP = 64;

/** Rows of a tile and dimensions of a lane's quads side by side in the subgroup variant. */
const SUBGROUP_ROWS = 16;
const SUBGROUP_DIMENSIONS = 32;
/** Quads of dimensions that a lane holds of heads wider than 32: two need no scores anew up to 64. */
const MOST_SUBGROUP_COLUMNS = 2;

/** The same of the quad variant. */
const QUAD_ROWS = 4;
const QUAD_DIMENSIONS = 32;

export interface AttentionShape {
  label: string;
  B: number;
  T: number;
  heads: number;
  /** Divides `heads`: query head h reads key head floor(h / (heads / kvHeads)). */
  kvHeads: number;
  /** A multiple of 4 from 8 to 256. */
  headDim: number;
  /** Factor of the scores, usually 1 / sqrt(headDim). */
  scale: number;
  /** Query i sees key j where j <= i and i - j < slidingWindow; all earlier keys when left out. */
  slidingWindow?: number;
  /**
   * (B * T) u32: the first key of its row that a query may see, where sequences are packed one after the
   * other; at most the query itself, and never less than that of the query before. A query sees all
   * earlier keys of its row when left out.
   */
  firstKeys?: Tensor;
  /** For tests and measurements; the one chosen for the device when left out. */
  variant?: AttentionVariant;
}

export interface AttentionOptions extends AttentionShape {
  /** (B * T, heads * headDim) */
  q: Tensor;
  /** (B * T, kvHeads * headDim) */
  k: Tensor;
  /** (B * T, kvHeads * headDim) */
  v: Tensor;
}

/**
 * @returns out (B * T, heads * headDim) and lse (B, heads, T), the log-sum-exp of the scaled scores
 * @throws KernelError
 */
export function attentionForward(
  plan: PlanBuilder,
  options: AttentionOptions,
): { out: Tensor; lse: Tensor } {
  const { label, q, k, v, B, T, heads } = options;
  const { uniforms, queryShape } = check(options);
  const { kernels, tiles } = variantOf(plan, options);
  const out = plan.tensor(`${label}/out`, queryShape);
  const lse = plan.tensor(`${label}/lse`, [B, heads, T]);
  plan.dispatch({
    label,
    kernel: kernels.forward,
    bindings: [read(q), read(k), read(v), write(out), write(lse), ...segmentsOf(options)],
    uniforms,
    grid: [tiles, heads, B],
  });
  return { out, lse };
}

export interface AttentionBackwardOptions extends AttentionOptions {
  /** (B * T, heads * headDim) */
  dOut: Tensor;
  /** (B * T, heads * headDim) of the forward */
  out: Tensor;
  /** (B, heads, T) of the forward */
  lse: Tensor;
}

/**
 * @returns gradients in the shapes of q, k and v; dK and dV are sums over the query heads of a group
 * @throws KernelError
 */
export function attentionBackward(
  plan: PlanBuilder,
  options: AttentionBackwardOptions,
): { dQ: Tensor; dK: Tensor; dV: Tensor } {
  const { label, dOut, q, k, v, out, lse, B, T, heads, kvHeads } = options;
  const where = `${label} (attention)`;
  const { uniforms, queryShape, keyShape } = check(options);
  const { kernels, tiles } = variantOf(plan, options);
  requireTensor(where, 'dOut', dOut, queryShape);
  requireTensor(where, 'out', out, queryShape);
  requireTensor(where, 'lse', lse, [B, heads, T]);
  const delta = plan.tensor(`${label}/delta`, [B, heads, T]);
  const dQ = plan.tensor(`${label}/dQ`, queryShape);
  const dK = plan.tensor(`${label}/dK`, keyShape);
  const dV = plan.tensor(`${label}/dV`, keyShape);
  plan.dispatch({
    label: `${label} backward`,
    kernel: { name: 'attention-delta', wgsl: SHAPE_WGSL + DELTA_WGSL },
    bindings: [read(dOut), read(out), write(delta)],
    uniforms,
    grid: foldGrid(Math.ceil((B * T * heads) / WORKGROUP)),
  });
  const inputs = [dOut, q, k, v, lse, delta].map(read);
  plan.dispatch({
    label: `${label} backward`,
    kernel: kernels.queries,
    bindings: [...inputs, write(dQ), ...segmentsOf(options)],
    uniforms,
    grid: [tiles, heads, B],
  });
  plan.dispatch({
    label: `${label} backward`,
    kernel: kernels.keys,
    bindings: [...inputs, write(dK), write(dV), ...segmentsOf(options)],
    uniforms,
    grid: [tiles, kvHeads, B],
  });
  return { dQ, dK, dV };
}

function check(options: AttentionOptions) {
  const { label, q, k, v, B, T, heads, kvHeads, headDim } = options;
  const where = `${label} (attention)`;
  for (const [name, value] of Object.entries({ B, T, heads, kvHeads }))
    requireCount(where, name, value);
  if (heads % kvHeads !== 0)
    throw new KernelError(
      'shape',
      `${where}: kvHeads is ${kvHeads}, a divisor of ${heads} heads is needed.`,
    );
  if (headDim % 4 !== 0 || headDim < MIN_HEAD_DIM || headDim > MAX_HEAD_DIM)
    throw new KernelError(
      'shape',
      `${where}: headDim is ${headDim}, a multiple of 4 from ${MIN_HEAD_DIM} to ${MAX_HEAD_DIM} is needed.`,
    );
  if (options.slidingWindow !== undefined)
    requireCount(where, 'slidingWindow', options.slidingWindow);
  const queryShape = [B * T, heads * headDim];
  const keyShape = [B * T, kvHeads * headDim];
  requireTensor(where, 'q', q, queryShape);
  requireTensor(where, 'k', k, keyShape);
  requireTensor(where, 'v', v, keyShape);
  if (options.firstKeys) requireTensor(where, 'firstKeys', options.firstKeys, [B * T], ['u32']);
  const window = Math.min(options.slidingWindow ?? NO_WINDOW, NO_WINDOW);
  return {
    uniforms: [T, heads, kvHeads, window, headDim / 4, floatBits(options.scale), B * T],
    queryShape,
    keyShape,
  };
}

/** The binding that packed rows add after a kernel's own. */
function segmentsOf({ firstKeys }: AttentionShape) {
  return firstKeys ? [read(firstKeys)] : [];
}

/** Tensors of each kernel before `firstKeys`, as their texts number them. */
const BINDINGS = { forward: 5, queries: 7, keys: 8 } as const;
type Part = keyof typeof BINDINGS;

/** One way of computing, as three texts, and the workgroups that the rows of one head and sequence take. */
interface Way {
  readonly name: string;
  /** What goes before the common text, and what after it. */
  readonly head?: string;
  readonly shape?: string;
  readonly texts: Readonly<Record<Part, string>>;
  readonly constants?: Readonly<Record<string, number>>;
  readonly tiles: number;
}

function wayOf(variant: AttentionVariant, { T, headDim }: AttentionShape): Way {
  switch (variant) {
    case 'subgroup': {
      const columns = Math.min(MOST_SUBGROUP_COLUMNS, Math.ceil(headDim / SUBGROUP_DIMENSIONS));
      return {
        name: `attention-subgroup-${columns}`,
        head: `enable subgroups;\nconst COLUMNS = ${columns}u;\n`,
        shape: SUBGROUP_SHAPE_WGSL,
        texts: {
          forward: SUBGROUP_FORWARD_WGSL,
          queries: SUBGROUP_QUERIES_WGSL,
          keys: SUBGROUP_KEYS_WGSL,
        },
        tiles: Math.ceil(T / SUBGROUP_ROWS) * Math.ceil(headDim / (SUBGROUP_DIMENSIONS * columns)),
      };
    }
    case 'quad':
      return {
        name: 'attention-quad',
        head: 'enable subgroups;\n',
        shape: QUAD_SHAPE_WGSL,
        texts: { forward: QUAD_FORWARD_WGSL, queries: QUAD_QUERIES_WGSL, keys: QUAD_KEYS_WGSL },
        tiles: Math.ceil(T / QUAD_ROWS) * Math.ceil(headDim / QUAD_DIMENSIONS),
      };
    case 'shuffle': {
      const rows = mostRows(headDim);
      return {
        name: 'attention-shuffle',
        head: 'enable subgroups;\n',
        shape: SHUFFLE_SHAPE_WGSL,
        texts: {
          forward: SHUFFLE_FORWARD_WGSL,
          queries: SHUFFLE_QUERIES_WGSL,
          keys: SHUFFLE_KEYS_WGSL,
        },
        constants: { D: headDim, ROWS: rows },
        tiles: Math.ceil(T / rows),
      };
    }
    case 'narrow':
    case 'register': {
      const rows = variant === 'narrow' ? NARROW_ROWS : mostRows(headDim);
      return {
        name: 'attention',
        texts: { forward: FORWARD_WGSL, queries: QUERIES_WGSL, keys: KEYS_WGSL },
        constants: { D: headDim, ROWS: rows },
        tiles: Math.ceil(T / rows),
      };
    }
  }
}

const mostRows = (headDim: number): number =>
  Math.min(MAX_TILE_ROWS, 4 * Math.floor(TILE_ELEMENTS / headDim / 4));

function variantOf(plan: PlanBuilder, shape: AttentionShape) {
  const { firstKeys, headDim, variant: wanted = attentionVariantOf(plan.gpu) } = shape;
  const variant = wanted === 'shuffle' && !shufflesAt(plan.gpu, headDim) ? 'register' : wanted;
  const allowed = plan.gpu.device.limits.maxStorageBuffersPerShaderStage;
  if (firstKeys && allowed <= BINDINGS.keys)
    throw new GpuError(
      'limit',
      `Packed rows need ${BINDINGS.keys + 1} buffers in one shader, this GPU binds ${allowed}. Train without packing.`,
      { details: { found: BINDINGS.keys + 1, allowed } },
    );
  const common = (bindings: number) =>
    firstKeys
      ? `const FIRST_KEYS = ${bindings}u;\nconst SIZES = ${bindings + 1}u;\n${SHAPE_WGSL}${SEGMENTS_WGSL}`
      : `const SIZES = ${bindings}u;\n${SHAPE_WGSL}${WHOLE_WGSL}`;
  const way = wayOf(variant, shape);
  const kernelOf = (part: Part) => ({
    name: `${way.name}-${part}${firstKeys ? '-segments' : ''}`,
    wgsl: (way.head ?? '') + common(BINDINGS[part]) + (way.shape ?? '') + way.texts[part],
    constants: way.constants,
  });
  return {
    kernels: {
      forward: kernelOf('forward'),
      queries: kernelOf('queries'),
      keys: kernelOf('keys'),
    },
    tiles: way.tiles,
  };
}
