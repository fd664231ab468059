/** What to change in a run that did not fit into GPU memory. */
import { GpuError, NO_LIMITS } from '../gpu';
import { findFit, writeFitChange, type FitChange } from './fit-change';
import type { OutlineOptions } from './outline-trainer';
import { predictMemory } from './predict-memory';

/**
 * After a real lack of memory nobody knows how much there is: a change is taken to fit that asks for at
 * most this share of what the run asked for beside the weights, which were there before it.
 */
const AFTER_FAILURE_SHARE = 0.75;

/**
 * The smallest change that fits: exactly where a device's limit was met, a guess where memory ran out.
 * @returns undefined for any other error, and where only a smaller model would fit
 */
export async function suggestFit(
  error: unknown,
  options: OutlineOptions,
): Promise<FitChange | undefined> {
  if (!(error instanceof GpuError)) return undefined;
  if (error.code !== 'limit' && error.code !== 'out-of-memory') return undefined;
  const { total, weights } = await predictMemory({ ...options, limits: NO_LIMITS });
  const allowed =
    error.code === 'limit' ? Infinity : weights + AFTER_FAILURE_SHARE * (total - weights);
  return findFit(options, async (candidate) => {
    try {
      return (await predictMemory({ ...options, ...candidate })).total <= allowed;
    } catch (reason) {
      if (reason instanceof GpuError && reason.code === 'limit') return false;
      throw reason;
    }
  });
}

/** The same error with `details.suggestion`, where a change of the settings would make the run fit. */
export async function withSuggestion(error: unknown, options: OutlineOptions): Promise<unknown> {
  // Whatever goes wrong here, the error itself is what must be told.
  const change = await suggestFit(error, options).catch(() => undefined);
  if (!change || !(error instanceof GpuError)) return error;
  const { code, message, retryable, details } = error;
  return new GpuError(code, message, {
    retryable,
    details: { ...details, suggestion: writeFitChange(change) },
    cause: error,
  });
}
