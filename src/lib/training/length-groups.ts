/**
 * `group_by_length`: batches of rows that are alike in length, so that little is padding. transformers'
 * `get_length_grouped_indices` (trainer_pt_utils.py) over a shuffle of our own. Pure.
 */

/** Megabatches: of 50 batches, or as many as make four of them. */
const MOST_BATCHES = 50;
const LEAST_MEGABATCHES = 4;

/**
 * @param shuffled row numbers in the order of the epoch's shuffle
 * @param batchSize rows of an optimiser step: batch size times accumulation
 * @returns the shuffle cut into megabatches, each sorted from long to short (equals as they came); the
 *   longest row of all changes places with the first, so that a lack of memory shows at once
 */
export function groupByLength(
  shuffled: readonly number[],
  lengths: readonly number[],
  batchSize: number,
): number[] {
  const { length } = shuffled;
  const fitting = Math.floor(length / (batchSize * LEAST_MEGABATCHES));
  const size = Math.max(1, Math.min(fitting, MOST_BATCHES)) * batchSize;
  const megabatches: number[][] = [];
  for (let start = 0; start < length; start += size)
    megabatches.push(shuffled.slice(start, start + size).sort((a, b) => lengths[b] - lengths[a]));
  let longest = 0;
  megabatches.forEach(([first], i) => {
    if (lengths[first] > lengths[megabatches[longest][0]]) longest = i;
  });
  if (longest > 0)
    [megabatches[0][0], megabatches[longest][0]] = [megabatches[longest][0], megabatches[0][0]];
  return megabatches.flat();
}
