/**
 * Attention of one layer, with prefix tuning's keys and values before each sequence where there are any. The
 * prefix is put in front of keys and values, and rows of zeros in front of the queries, so that causal order
 * and sliding window count as PEFT's cache does; what those rows attend to is thrown away.
 */
import type { PlanBuilder, Tensor } from '../gpu';
import { attentionBackward, attentionForward, type AttentionOptions } from '../kernels/attention';
import { insertPrefix, prefixBackward, removePrefix } from '../kernels/prefix-rows';
import type { Trained } from './trainable';

/** What backward needs. */
export interface AttentionTrace {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly out: Tensor;
  readonly lse: Tensor;
}

/** Rows of a prefix, 0 without one. */
export const prefixLength = (prefix: Trained | undefined) => prefix?.value.shape[0] ?? 0;

/** @returns out (B * T, heads * headDim) */
export function attendForward(
  plan: PlanBuilder,
  options: AttentionOptions,
  prefix: Trained | undefined,
  layer: number,
): { out: Tensor; trace: AttentionTrace } {
  const { label, B, T, q, k, v } = options;
  if (!prefix) {
    const found = attentionForward(plan, options);
    return { out: found.out, trace: { q, k, v, ...found } };
  }
  const P = prefixLength(prefix);
  const sizes = { B, T, P };
  const at = (x: Tensor, name: string, part?: number) =>
    insertPrefix(plan, {
      label: `${label}/${name}`,
      x,
      ...sizes,
      columns:
        part === undefined
          ? undefined
          : { table: prefix.value, offset: (2 * layer + part) * k.shape[1] },
    });
  const whole = { q: at(q, 'q'), k: at(k, 'k', 0), v: at(v, 'v', 1) };
  const found = attentionForward(plan, { ...options, ...whole, T: P + T });
  const out = removePrefix(plan, { label, x: found.out, ...sizes });
  return { out, trace: { ...whole, ...found } };
}

/** Adds the prefix's gradient to its table's. @returns gradients in the shapes of the options' q, k and v */
export function attendBackward(
  plan: PlanBuilder,
  options: Omit<AttentionOptions, 'q' | 'k' | 'v'>,
  { q, k, v, out, lse }: AttentionTrace,
  dOut: Tensor,
  prefix: Trained | undefined,
  layer: number,
): { dQ: Tensor; dK: Tensor; dV: Tensor } {
  const { label, B, T } = options;
  const whole = { ...options, q, k, v, out, lse };
  if (!prefix) return attentionBackward(plan, { ...whole, dOut });
  const P = prefixLength(prefix);
  const sizes = { B, T, P };
  const dWhole = insertPrefix(plan, { label: `${label}/dOut`, x: dOut, ...sizes });
  const found = attentionBackward(plan, { ...whole, T: P + T, dOut: dWhole });
  const W = k.shape[1];
  if (prefix.gradient)
    for (const [part, dX] of [found.dK, found.dV].entries()) {
      const columns = { table: prefix.gradient, offset: (2 * layer + part) * W };
      prefixBackward(plan, { label: `${label}/prefix`, dX, ...sizes, columns });
    }
  const rest = (x: Tensor, name: string) =>
    removePrefix(plan, { label: `${label}/${name}`, x, ...sizes });
  return { dQ: rest(found.dQ, 'dQ'), dK: rest(found.dK, 'dK'), dV: rest(found.dV, 'dV') };
}
