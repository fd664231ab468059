/**
 * Whether products in 16 bits would pay for a run: its step is measured with `fp16` the other way too, where that may be
 * told. The processor is spared it, since there they lose (tests/bench/LOG.md).
 */
import type { Fp16Comparison } from '../rpc/engine-api';
import { runTime, type MeasureOptions } from '../training';
import type { TimeMeter } from './time-meter';

/**
 * @param options with which the run itself was measured
 * @returns undefined where one of the two is not known
 * @throws AbortError
 */
export async function compareFp16(
  meter: TimeMeter,
  modelId: string,
  options: MeasureOptions,
): Promise<Fp16Comparison | undefined> {
  const { gpu, args, load } = options;
  const own = meter.known(modelId, options);
  if (!gpu.features.f16 || !own) return undefined;
  // The same step: of a smaller one, more is what any step costs.
  const other = { ...options, args: { ...args, fp16: !args.fp16 }, batch: own.batch };
  const rates = gpu.isSoftware ? meter.known(modelId, other) : await meter.rates(modelId, other);
  if (!rates) return undefined;
  const [ownSeconds, otherSeconds] = [own, rates].map((one) => runTime(load, one).totalSeconds);
  return args.fp16
    ? { withSeconds: ownSeconds, withoutSeconds: otherSeconds }
    : { withSeconds: otherSeconds, withoutSeconds: ownSeconds };
}
