/**
 * The choice of the next token: repetition penalty, temperature, top_k and top_p in the order and with
 * the meaning of Python's transformers, then one draw from a seeded generator (xoshiro128**). The
 * same seed, prompt and logits give the same token on every machine.
 */
import { Xoshiro128 } from '../config/random';

export interface SamplingOptions {
  /** 0 = greedy: the other options but the penalty are ignored. */
  readonly temperature: number;
  /** 1 = off. */
  readonly top_p: number;
  /** 0 = off. */
  readonly top_k: number;
  /** 1 = off. Positive logits of seen tokens are divided by it, negative ones multiplied. */
  readonly repetition_penalty: number;
  readonly seed: number;
}

/** @returns the id of the next token for the ids so far (prompt and answer) and (V) logits, left as they are */
export type Sampler = (ids: readonly bigint[], logits: Float32Array) => number;

export function createSampler(options: SamplingOptions): Sampler {
  const random = new Xoshiro128(options.seed);
  const { temperature, repetition_penalty: penalty } = options;
  return (ids, given) => {
    const logits = penalty === 1 ? given : penalised(given, ids, penalty);
    if (temperature === 0) return indexOfLargest(logits);
    return draw(candidates(logits, options), random.nextUnit());
  };
}

interface Candidate {
  readonly id: number;
  /** Relative to the most likely token, which has 1. */
  readonly weight: number;
}

/** Tokens that top_k and top_p leave, most likely first; of equals, the lower id. */
function candidates(logits: Float32Array, options: SamplingOptions): Candidate[] {
  const { temperature, top_k: topK, top_p: topP } = options;
  const largest = logits[indexOfLargest(logits)];
  let list: Candidate[] = [];
  for (let id = 0; id < logits.length; id++) {
    const weight = Math.exp((logits[id] - largest) / temperature);
    if (weight > 0) list.push({ id, weight });
  }
  list.sort((a, b) => b.weight - a.weight || a.id - b.id);
  if (topK > 0) list = list.slice(0, topK);
  if (topP >= 1) return list;
  const total = sumOf(list);
  let covered = 0;
  const end = list.findIndex(({ weight }) => (covered += weight) >= topP * total);
  return end < 0 ? list : list.slice(0, end + 1);
}

/** @param unit uniform in [0, 1) */
function draw(list: readonly Candidate[], unit: number): number {
  let left = unit * sumOf(list);
  for (const { id, weight } of list) {
    left -= weight;
    if (left < 0) return id;
  }
  return list[list.length - 1].id;
}

const sumOf = (list: readonly Candidate[]) => list.reduce((sum, { weight }) => sum + weight, 0);

/** Of equals, the first; a NaN is never the largest. */
export function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++)
    if (values[i] > values[best] || Number.isNaN(values[best])) best = i;
  return best;
}

/** arXiv 1909.05858, each seen token once. */
function penalised(given: Float32Array, ids: readonly bigint[], penalty: number): Float32Array {
  const logits = given.slice();
  for (const id of new Set(ids)) {
    const index = Number(id);
    if (index < logits.length)
      logits[index] = logits[index] < 0 ? logits[index] * penalty : logits[index] / penalty;
  }
  return logits;
}
