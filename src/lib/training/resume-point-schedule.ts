/** When a run saves a point to go on from, between the checkpoints that were asked for. Pure. */

/** Work that a crash may cost at most, or so many times what saving takes, where that is more. */
export const RESUME_POINT_MS = 5 * 60_000;
const RESUME_POINT_COSTS = 20;

/**
 * @param unsavedMs of work since the last point that the run could go on from
 * @param costMs what saving took the last time
 * @param everyMs sooner where the run may be about to be killed
 */
export const isResumePointDue = (
  unsavedMs: number,
  costMs: number,
  everyMs = RESUME_POINT_MS,
): boolean => unsavedMs >= Math.max(everyMs, RESUME_POINT_COSTS * costMs);
