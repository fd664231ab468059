/**
 * ROUGE-L (Lin 2004, sentence level, F1): the longest common subsequence of reference and answer,
 * over characters where the text is Chinese, Japanese or Korean and over words elsewhere.
 */
import { characterOrWordTokens } from '../text';

/** @returns 0 to 1; two empty texts agree */
export function rougeL(answer: string, reference: string): number {
  const found = characterOrWordTokens(answer);
  const wanted = characterOrWordTokens(reference);
  if (found.length === 0 || wanted.length === 0) return found.length === wanted.length ? 1 : 0;
  const common = longestCommonSubsequence(found, wanted);
  if (common === 0) return 0;
  const precision = common / found.length;
  const recall = common / wanted.length;
  return (2 * precision * recall) / (precision + recall);
}

/** Length alone, in two rows of memory. */
function longestCommonSubsequence(a: readonly string[], b: readonly string[]): number {
  let previous = new Uint32Array(b.length + 1);
  let current = new Uint32Array(b.length + 1);
  for (const token of a) {
    for (let j = 1; j <= b.length; j++)
      current[j] = token === b[j - 1] ? previous[j - 1] + 1 : Math.max(previous[j], current[j - 1]);
    [previous, current] = [current, previous];
  }
  return previous[b.length];
}
