/**
 * Which matrix kernel an adapter runs fastest, for each form of product: measured once for each device, then
 * remembered. The choice never changes a result: all variants add in the same order and give the same bits.
 */
import type { Gpu } from '../gpu';
import { hasEightLanes } from './subgroup-lanes';

/** Named by idea: `register` and `subgroup` for adapters that run on a CPU, `tiled` for real GPUs. */
export type MatmulVariant = 'register' | 'subgroup' | 'tiled';

/** What training multiplies: forward with weights (N, K), backward to the input, gradients of weights. */
export type MatmulForm = 'a-bt' | 'a-b' | 'at-b';

export const MATMUL_FORMS: readonly MatmulForm[] = ['a-bt', 'a-b', 'at-b'];

export function matmulForm(transposeA: boolean, transposeB: boolean): MatmulForm {
  return transposeA ? 'at-b' : transposeB ? 'a-bt' : 'a-b';
}

const chosen = new WeakMap<Gpu, Map<MatmulForm, MatmulVariant>>();

/**
 * Variants worth measuring. Where one is known to win in every form it is the only one, since a CPU adapter
 * compiles a candidate for longer than the choice could save: `tiled` loses on all of them, and `subgroup`
 * was ahead of `register` in every comparison where it runs (tests/bench/LOG.md).
 */
export function candidateMatmulVariants(gpu: Gpu): MatmulVariant[] {
  if (!gpu.isSoftware) return ['tiled', 'register'];
  return availableMatmulVariants(gpu).includes('subgroup') ? ['subgroup'] : ['register'];
}

/** Variants that this device can run. */
export function availableMatmulVariants(gpu: Gpu): MatmulVariant[] {
  return hasEightLanes(gpu) ? ['register', 'subgroup', 'tiled'] : ['register', 'tiled'];
}

/** The variant in use for a form: the one chosen, or a guess from the adapter's name until one is. */
export function matmulVariantOf(gpu: Gpu, form: MatmulForm): MatmulVariant {
  return chosen.get(gpu)?.get(form) ?? candidateMatmulVariants(gpu)[0];
}

/** Fixes the variant of a form, or of all, for plans that are recorded on this device from now on. */
export function setMatmulVariant(gpu: Gpu, variant: MatmulVariant, form?: MatmulForm): void {
  const variants = chosen.get(gpu) ?? new Map<MatmulForm, MatmulVariant>();
  for (const each of form ? [form] : MATMUL_FORMS) variants.set(each, variant);
  chosen.set(gpu, variants);
}

/** True once a variant was measured or set for this form. */
export function hasMatmulVariant(gpu: Gpu, form: MatmulForm): boolean {
  return chosen.get(gpu)?.has(form) ?? false;
}
