/**
 * Causal attention with grouped keys and values and an optional sliding window. No T x T matrix is kept:
 * the forward leaves one number a query and head (lse) from which the backward finds its weights again.
 * Batches are right-padded: causal order alone keeps padding out of real rows, and padding has dOut 0.
 */
import { read, write, type PlanBuilder, type Tensor } from '../gpu';
import { floatBits, foldGrid, requireCount, requireTensor } from './add-elementwise';
import DELTA_WGSL from './attention-delta.wgsl?raw';
import KEYS_WGSL from './attention-keys.wgsl?raw';
import QUERIES_WGSL from './attention-queries.wgsl?raw';
import SHAPE_WGSL from './attention-shape.wgsl?raw';
import FORWARD_WGSL from './attention.wgsl?raw';
import { KernelError } from './errors';

const MIN_HEAD_DIM = 8;
const MAX_HEAD_DIM = 256;

/** Rows of a workgroup's tile, and the elements of ROWS x D that keep two tables within 16 KiB. */
const MAX_TILE_ROWS = 32;
const TILE_ELEMENTS = 2048;

/** No window: larger than any T, small enough that a negative distance, wrapped, is larger still. */
const NO_WINDOW = 0x80000000;

const WORKGROUP = 64;

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
  const { constants, uniforms, tiles, queryShape } = check(options);
  const out = plan.tensor(`${label}/out`, queryShape);
  const lse = plan.tensor(`${label}/lse`, [B, heads, T]);
  plan.dispatch({
    label,
    kernel: { name: 'attention', wgsl: SHAPE_WGSL + FORWARD_WGSL, constants },
    bindings: [read(q), read(k), read(v), write(out), write(lse)],
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
  const { constants, uniforms, tiles, queryShape, keyShape } = check(options);
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
    kernel: { name: 'attention-queries', wgsl: SHAPE_WGSL + QUERIES_WGSL, constants },
    bindings: [...inputs, write(dQ)],
    uniforms,
    grid: [tiles, heads, B],
  });
  plan.dispatch({
    label: `${label} backward`,
    kernel: { name: 'attention-keys', wgsl: SHAPE_WGSL + KEYS_WGSL, constants },
    bindings: [...inputs, write(dK), write(dV)],
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
  const rows = Math.min(MAX_TILE_ROWS, 4 * Math.floor(TILE_ELEMENTS / headDim / 4));
  const window = Math.min(options.slidingWindow ?? NO_WINDOW, NO_WINDOW);
  return {
    constants: { D: headDim, ROWS: rows },
    uniforms: [T, heads, kvHeads, window, headDim / 4, floatBits(options.scale), B * T],
    tiles: Math.ceil(T / rows),
    queryShape,
    keyShape,
  };
}
