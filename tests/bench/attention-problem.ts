/** The attention that ours and the peers compute: causal, grouped-query, forward and with all gradients. */
import { Xoshiro128 } from '$lib/config/random';
import type { AttentionResults } from './contender';

/** B rows of T tokens, H heads, K key/value heads, D head width. */
export interface AttentionShape {
  readonly B: number;
  readonly T: number;
  readonly H: number;
  readonly K: number;
  readonly D: number;
}

export interface AttentionOperands {
  /** (B * T, H * D) */
  readonly q: Float32Array;
  /** (B * T, K * D) */
  readonly k: Float32Array;
  readonly v: Float32Array;
  /** (B * T, H * D) */
  readonly dOut: Float32Array;
}

/** nano-lm's, then SmolLM2-135M's at growing lengths. */
export const ATTENTION_SHAPES: readonly AttentionShape[] = [
  { B: 4, T: 64, H: 8, K: 4, D: 32 },
  { B: 4, T: 64, H: 9, K: 3, D: 64 },
  { B: 4, T: 256, H: 9, K: 3, D: 64 },
  { B: 4, T: 512, H: 9, K: 3, D: 64 },
];

/** Of the largest absolute value of a result: sums in f32 in another order. */
const TOLERANCE = 1e-3;
const SEED = 11;

export function attentionName({ B, T, H, K, D }: AttentionShape): string {
  return `attention/b${B}-t${T}-h${H}-k${K}-d${D}`;
}

/**
 * Multiplications and additions that the causal triangle asks for: two products forward; backward the scores again
 * and four more. What a contender computes beyond them, such as the other half of the square, does not count.
 */
export function attentionOperations({ B, T, H, D }: AttentionShape): {
  forward: number;
  training: number;
} {
  const product = B * H * T * (T + 1) * D;
  return { forward: 2 * product, training: 7 * product };
}

export function attentionOperands({ B, T, H, K, D }: AttentionShape): AttentionOperands {
  const random = new Xoshiro128(SEED);
  const normal = (heads: number) =>
    Float32Array.from({ length: B * T * heads * D }, () => random.nextNormal());
  return { q: normal(H), k: normal(K), v: normal(K), dOut: normal(H) };
}

/** @throws Error naming who differs in what */
export function refuseDifferentResults(results: ReadonlyMap<string, AttentionResults>): void {
  const [[reference, expected], ...others] = [...results];
  for (const [name, found] of others)
    for (const part of ['out', 'dQ', 'dK', 'dV'] as const) {
      const error = worstError(found[part], expected[part]);
      if (!(error <= TOLERANCE))
        throw new Error(
          `${part} of ${name} differs from that of ${reference} by ${error} of its largest value, ${TOLERANCE} is allowed. They do not compute the same, so their speeds are not compared.`,
        );
    }
}

/** The largest difference as a share of the largest expected value; NaN where a value is none or missing. */
export function worstError(found: Float32Array, expected: Float32Array): number {
  if (found.length !== expected.length) return NaN;
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const here = Math.abs(found[i] - expected[i]);
    if (Number.isNaN(here)) return NaN;
    difference = Math.max(difference, here);
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return difference / largest;
}
