/** How many checkpoints a run may keep for its files to fit into the free space. Pure. */
import type { TrainingPrediction } from '../rpc/engine-api';
import { LIMITS } from './recipe-limits';

type Storage = TrainingPrediction['storage'];

export interface FittingLimit {
  save_total_limit: number;
  /** Bytes at the fullest moment with it. */
  peakBytes: number;
}

/**
 * The largest `save_total_limit` with which a run takes no more than is free.
 * @param which of the peaks counts
 * @returns undefined where even the fewest checkpoints do not fit
 */
export function fittingLimit(
  storage: Storage,
  which: 'peak' | 'peakWithResumePoint',
  freeBytes: number,
): FittingLimit | undefined {
  const { perCheckpoint, keptBefore, keptBeforeAtLeast } = storage;
  const tooMany = Math.max(1, Math.ceil((storage[which] - freeBytes) / perCheckpoint));
  const save_total_limit = Math.min(keptBefore - tooMany, LIMITS.save_total_limit.max);
  if (save_total_limit < Math.max(1, keptBeforeAtLeast)) return undefined;
  const peakBytes = storage[which] - (keptBefore - save_total_limit) * perCheckpoint;
  return { save_total_limit, peakBytes };
}
