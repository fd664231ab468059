/**
 * Which matrix kernel an adapter runs fastest: measured once for each device, then remembered.
 * The choice never changes a result: all variants add in the same order and give the same bits.
 */
import type { Gpu } from '../gpu';

/** Named by idea: `register` and `subgroup` for adapters that run on a CPU, `tiled` for real GPUs. */
export type MatmulVariant = 'register' | 'subgroup' | 'tiled';

/** Lanes that `matmul-subgroup` is written for. */
const SUBGROUP_LANES = 8;

const chosen = new WeakMap<Gpu, MatmulVariant>();

/** Drivers that run shaders on the CPU. */
const CPU_ADAPTER = /llvmpipe|lavapipe|swiftshader|microsoft basic render/i;

/** Variants worth measuring: `tiled` loses on every CPU adapter and is slow to compile there. */
export function candidateMatmulVariants(gpu: Gpu): MatmulVariant[] {
  if (!CPU_ADAPTER.test(gpu.adapterName)) return ['tiled', 'register'];
  return availableMatmulVariants(gpu).filter((variant) => variant !== 'tiled');
}

/** Variants that this device can run. */
export function availableMatmulVariants(gpu: Gpu): MatmulVariant[] {
  const { subgroupMinSize, subgroupMaxSize } = gpu.device.adapterInfo;
  const eightLanes =
    gpu.features.subgroups &&
    subgroupMinSize === SUBGROUP_LANES &&
    subgroupMaxSize === SUBGROUP_LANES;
  return eightLanes ? ['register', 'subgroup', 'tiled'] : ['register', 'tiled'];
}

/** The variant in use: the one chosen, or a guess from the adapter's name until one is. */
export function matmulVariantOf(gpu: Gpu): MatmulVariant {
  const known = chosen.get(gpu);
  if (known) return known;
  const candidates = candidateMatmulVariants(gpu);
  return candidates.includes('subgroup') ? 'subgroup' : candidates[0];
}

/** Fixes the variant for all plans that are recorded on this device from now on. */
export function setMatmulVariant(gpu: Gpu, variant: MatmulVariant): void {
  chosen.set(gpu, variant);
}

/** True once a variant was measured or set. */
export function hasMatmulVariant(gpu: Gpu): boolean {
  return chosen.has(gpu);
}
