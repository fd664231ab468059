/** What to change in a run that did not fit into GPU memory. */
import { GpuError } from '../gpu';
import { findFit, type FitChange, type FitSettings } from './fit-change';
import { predictMemory, type PredictMemoryOptions } from './predict-memory';

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
  options: PredictMemoryOptions,
): Promise<FitChange | undefined> {
  if (!(error instanceof GpuError)) return undefined;
  if (error.code !== 'limit' && error.code !== 'out-of-memory') return undefined;
  const bytesOf = async (candidate: FitSettings) => {
    const { total, weights } = await predictMemory({ ...options, ...candidate });
    return total - weights;
  };
  const allowed =
    error.code === 'limit' ? Infinity : AFTER_FAILURE_SHARE * (await bytesOf(options));
  return findFit(options, async (candidate) => {
    try {
      return (await bytesOf(candidate)) <= allowed;
    } catch (reason) {
      if (reason instanceof GpuError && reason.code === 'limit') return false;
      throw reason;
    }
  });
}
