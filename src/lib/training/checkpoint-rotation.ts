/** Which checkpoints of a run are one too many, by `save_total_limit` of the Trainer. Pure. */

/**
 * The oldest steps beyond the limit; the one just written never is among them, whatever its number,
 * nor is the best.
 * @param steps of all complete checkpoints
 * @param limit null keeps all
 */
export function surplusCheckpoints(
  steps: readonly number[],
  justWritten: number,
  limit: number | null,
  best?: number,
): number[] {
  if (limit === null) return [];
  const kept = new Set([justWritten, ...(best !== undefined ? [best] : [])]);
  const others = steps.filter((step) => !kept.has(step)).sort((a, b) => a - b);
  return others.slice(0, Math.max(0, others.length + kept.size - limit));
}
