/** What is drawn for each micro-batch of a run, as a function of the seed and of where it stands. Pure. */
import type { TrainingArguments } from '../config';

/**
 * Half the width of NEFTune's uniform noise: alpha / sqrt(T C); 0 without it.
 * @param T tokens of the micro-batch's longest row, which the Trainer pads to
 * @param C hidden size
 */
export function embeddingNoiseScale(
  { neftune_noise_alpha }: Pick<TrainingArguments, 'neftune_noise_alpha'>,
  T: number,
  C: number,
): number {
  return (neftune_noise_alpha ?? 0) / Math.sqrt(T * C);
}

/**
 * One seed for each micro-batch of the run: a finaliser (murmur3's) over its coordinates. Spelled out, with what is
 * drawn from it, in tests/reference/README.md ("Our own draws").
 * @param step optimiser steps before it
 * @param index of the micro-batch in its step, from 0
 */
export function microBatchSeed(seed: number, step: number, index: number): number {
  let h = (seed ^ Math.imul(step + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca77)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
