/**
 * Which matrix kernel an adapter runs fastest, for each form of product: measured once for each device, then
 * remembered. The choice never changes a result: all variants add in the same order and give the same bits.
 */
import type { Gpu } from '../gpu';
import { subgroupLanes } from './subgroup-lanes';

/**
 * Named by idea: `tiled`, `register` and, where subgroups have 8 lanes or more, `broadcast` for real GPUs; for adapters
 * that run on a CPU `register`, `quad` where subgroups have 4 lanes, `subgroup` where they have 8, and `image`, the same
 * with operands in images wherever that pays (matmul-images.ts).
 */
export type MatmulVariant = 'register' | 'quad' | 'subgroup' | 'image' | 'tiled' | 'broadcast';

/** What training multiplies: forward with weights (N, K), backward to the input, gradients of weights. */
export type MatmulForm = 'a-bt' | 'a-b' | 'at-b';

export const MATMUL_FORMS: readonly MatmulForm[] = ['a-bt', 'a-b', 'at-b'];

export function matmulForm(transposeA: boolean, transposeB: boolean): MatmulForm {
  return transposeA ? 'at-b' : transposeB ? 'a-bt' : 'a-b';
}

/** For CPU adapters with subgroups, the fastest first. */
function variantsOfLanes(gpu: Gpu): MatmulVariant[] {
  switch (subgroupLanes(gpu)) {
    case 4:
      return ['quad'];
    case 8:
      return gpu.features.images ? ['image', 'subgroup'] : ['subgroup'];
    default:
      return [];
  }
}

/** Lanes that `broadcast` needs; more take no part of their own in what is shared. */
const BROADCAST_LANES = 8;

function broadcasts({ features, device }: Gpu): MatmulVariant[] {
  const canRun = features.subgroups && device.adapterInfo.subgroupMinSize >= BROADCAST_LANES;
  return canRun ? ['broadcast'] : [];
}

/** By device, whoever of those that share it asks. */
const chosen = new WeakMap<Gpu['device'], Map<MatmulForm, MatmulVariant>>();

/**
 * Variants worth measuring. Where one is known to win in every form it is the only one, since a CPU adapter
 * compiles a candidate for longer than the choice could save: `tiled` loses on all of them, `quad` and
 * `subgroup` were ahead of `register` in every comparison where they run, and `image` ahead of `subgroup`
 * (tests/bench/LOG.md).
 */
export function candidateMatmulVariants(gpu: Gpu): MatmulVariant[] {
  if (!gpu.isSoftware) return ['tiled', 'register', ...broadcasts(gpu)];
  return [variantsOfLanes(gpu)[0] ?? 'register'];
}

/** Variants that this device can run. */
export function availableMatmulVariants(gpu: Gpu): MatmulVariant[] {
  return ['register', ...variantsOfLanes(gpu), 'tiled', ...broadcasts(gpu)];
}

/** The variant in use for a form: the one chosen, or a guess from the adapter's name until one is. */
export function matmulVariantOf(gpu: Gpu, form: MatmulForm): MatmulVariant {
  return chosen.get(gpu.device)?.get(form) ?? candidateMatmulVariants(gpu)[0];
}

/** Fixes the variant of a form, or of all, for plans that are recorded on this device from now on. */
export function setMatmulVariant(gpu: Gpu, variant: MatmulVariant, form?: MatmulForm): void {
  const variants = chosen.get(gpu.device) ?? new Map<MatmulForm, MatmulVariant>();
  for (const each of form ? [form] : MATMUL_FORMS) variants.set(each, variant);
  chosen.set(gpu.device, variants);
}

/** True once a variant was measured or set for this form. */
export function hasMatmulVariant(gpu: Gpu, form: MatmulForm): boolean {
  return chosen.get(gpu.device)?.has(form) ?? false;
}
