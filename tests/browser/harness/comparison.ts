/** What the scenarios share: models by name, prompts of a length, and the largest difference. */
import type { TextGeneration } from '../../../src/lib/inference';
import { openGolden, openNano, randomNano, type TestModel } from './models';

export const GREEDY: TextGeneration = {
  max_new_tokens: 12,
  temperature: 0,
  top_p: 1,
  top_k: 0,
  repetition_penalty: 1,
  seed: 1,
};

export function worst(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference = Math.max(difference, Math.abs(a[i] - b[i]));
  return difference;
}

export const idsOfLength = (length: number, vocabSize: number) =>
  Array.from({ length }, (_, i) => (i * 37 + 11) % vocabSize);

export async function openModel(name: string): Promise<TestModel> {
  if (name === 'random-nano') return randomNano();
  return name === 'nano-lm' ? openNano() : openGolden(name);
}
