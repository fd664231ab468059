/** What to change in a run that did not fit into GPU memory. */
import { GpuError, NO_LIMITS } from '../gpu';
import { findFit, writeFitChange, type FitChange, type FitSettings } from './fit-change';
import type { OutlineOptions } from './outline-trainer';
import { predictMemory, type RunMemory } from './predict-memory';

/** What a run asks for, and what of it may change. */
export type FitOptions = OutlineOptions & Pick<FitSettings, 'hasGivenAdapter'>;

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
  options: FitOptions,
): Promise<FitChange | undefined> {
  if (!(error instanceof GpuError)) return undefined;
  if (error.code !== 'limit' && error.code !== 'out-of-memory') return undefined;
  const allowed =
    error.code === 'limit'
      ? Infinity
      : allowedAfterFailure(await predictMemory({ ...options, limits: NO_LIMITS }));
  return (await fitWithin(allowed, options))?.change;
}

/** @param failed what a run that found no memory asked for, or the weights of this one and such a total */
export const allowedAfterFailure = ({
  weights,
  total,
}: Pick<RunMemory, 'weights' | 'total'>): number =>
  weights < total ? weights + AFTER_FAILURE_SHARE * (total - weights) : AFTER_FAILURE_SHARE * total;

/**
 * The smallest change with which a run asks for no more than so many bytes, and for how many then.
 * @returns undefined where only a smaller model would fit
 */
export async function fitWithin(
  allowedBytes: number,
  options: FitOptions,
): Promise<{ change: FitChange; totalBytes: number } | undefined> {
  let totalBytes = 0;
  const change = await findFit(options, async (candidate) => {
    try {
      totalBytes = (await predictMemory({ ...options, ...candidate })).total;
      return totalBytes <= allowedBytes;
    } catch (reason) {
      if (reason instanceof GpuError && reason.code === 'limit') return false;
      throw reason;
    }
  });
  return change && { change, totalBytes };
}

/**
 * The same error with `details.suggestion`, where a change of the settings would make the run fit, and after a real
 * lack of memory with `details.neededBytes`, what the run asked for.
 */
export async function withSuggestion(error: unknown, options: FitOptions): Promise<unknown> {
  if (!(error instanceof GpuError)) return error;
  // Whatever goes wrong here, the error itself is what must be told.
  const change = await suggestFit(error, options).catch(() => undefined);
  const needed =
    error.code === 'out-of-memory'
      ? await predictMemory({ ...options, limits: NO_LIMITS }).catch(() => undefined)
      : undefined;
  if (!change && !needed) return error;
  const { code, message, retryable, details } = error;
  return new GpuError(code, message, {
    retryable,
    details: {
      ...details,
      ...(change && { suggestion: writeFitChange(change) }),
      ...(needed && { neededBytes: needed.total }),
    },
    cause: error,
  });
}
