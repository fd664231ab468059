/** Which checkpoints of a run are one too many, by `save_total_limit` of the Trainer. Pure. */

/**
 * The oldest steps beyond the limit; the one just written never is among them, whatever its number.
 * @param steps of all complete checkpoints
 * @param limit null keeps all
 */
export function surplusCheckpoints(
  steps: readonly number[],
  justWritten: number,
  limit: number | null,
): number[] {
  if (limit === null) return [];
  const others = steps.filter((step) => step !== justWritten).sort((a, b) => a - b);
  return others.slice(0, Math.max(0, others.length + 1 - limit));
}
