/**
 * Which attention kernels a device runs: known beforehand on a CPU, measured once on a graphics card (attention-choose.ts).
 * The choice on a card never changes a result: `shuffle` and `register` add in the same order and give the same bits.
 */
import type { Gpu } from '../gpu';
import { subgroupLanes } from './subgroup-lanes';

/**
 * Ways to the same numbers up to rounding: `register` for real GPUs, and `shuffle` for those with subgroups, which needs no
 * workgroup memory; `narrow`, as `register` in tiles of 4 rows, for CPUs; `quad` and `subgroup` for those whose subgroups
 * have exactly 4 (SwiftShader) and 8 lanes (lavapipe).
 */
export type AttentionVariant = 'register' | 'shuffle' | 'narrow' | 'quad' | 'subgroup';

/** From so many lanes on `shuffle` takes the head widths of most models, 64 and below. */
const SHUFFLE_LANES = 16;

/** Whether the threads along a row of such heads, four elements each, lie in one subgroup: else `shuffle` is `register`. */
export function shufflesAt({ features, device }: Gpu, headDim: number): boolean {
  const threads = headDim / 4;
  const isPowerOfTwo = Number.isInteger(Math.log2(threads));
  return features.subgroups && isPowerOfTwo && threads <= device.adapterInfo.subgroupMinSize;
}

const canShuffle = ({ features, device, isSoftware }: Gpu): boolean =>
  !isSoftware && features.subgroups && device.adapterInfo.subgroupMinSize >= SHUFFLE_LANES;

/** Variants that this device can run, the fastest first as far as that is known beforehand. */
export function attentionVariants(gpu: Gpu): AttentionVariant[] {
  const lanes = subgroupLanes(gpu);
  if (lanes === 4) return ['quad', 'narrow', 'register'];
  if (lanes === 8) return ['subgroup', 'narrow', 'register'];
  if (gpu.isSoftware) return ['narrow', 'register'];
  return ['register', ...(canShuffle(gpu) ? (['shuffle'] as const) : []), 'narrow'];
}

/** Variants worth measuring; a CPU adapter would compile one for longer than the choice could save. */
export const candidateAttentionVariants = (gpu: Gpu): AttentionVariant[] =>
  canShuffle(gpu) ? ['register', 'shuffle'] : attentionVariants(gpu).slice(0, 1);

/** By device, whoever of those that share it asks. */
const chosen = new WeakMap<Gpu['device'], AttentionVariant>();

/** The variant in use: the one chosen, or a guess from the adapter's name until one is. */
export const attentionVariantOf = (gpu: Gpu): AttentionVariant =>
  chosen.get(gpu.device) ?? attentionVariants(gpu)[0];

/** Fixes the variant for plans that are recorded on this device from now on. */
export const setAttentionVariant = (gpu: Gpu, variant: AttentionVariant): void =>
  void chosen.set(gpu.device, variant);

/** True once a variant was measured or set. */
export const hasAttentionVariant = (gpu: Gpu): boolean => chosen.has(gpu.device);
