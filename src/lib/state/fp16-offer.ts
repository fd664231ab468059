/** Whether a comparison of `fp16` with and without is worth a word, and what it says to change. Pure. */
import type { Fp16Comparison } from '../rpc/engine-api';

export interface Fp16Offer {
  /** What `fp16` would become. */
  readonly fp16: boolean;
  readonly totalSeconds: number;
  /** How many times as fast the run is then. */
  readonly times: number;
}

/** Less is hardly felt, and near what two measurements of the same thing differ by. */
const WORTHWHILE = 1.15;

/** @param fp16 as the form has it */
export function offerFp16(
  comparison: Fp16Comparison | undefined,
  fp16: boolean,
): Fp16Offer | undefined {
  if (!comparison) return undefined;
  const { withSeconds, withoutSeconds } = comparison;
  const [now, then] = fp16 ? [withSeconds, withoutSeconds] : [withoutSeconds, withSeconds];
  const times = now / then;
  return then > 0 && times >= WORTHWHILE ? { fp16: !fp16, totalSeconds: then, times } : undefined;
}
