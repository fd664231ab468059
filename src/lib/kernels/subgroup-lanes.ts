/** Which adapters run the kernels that are written for subgroups of one size: CPUs, of 4 lanes or of 8, and some cards. */
import type { Gpu } from '../gpu';

/** Lanes of every subgroup on this device; undefined where there are none, or of more than one size. */
export function subgroupLanes({ features, device }: Gpu): number | undefined {
  const { subgroupMinSize, subgroupMaxSize } = device.adapterInfo;
  return features.subgroups && subgroupMinSize === subgroupMaxSize ? subgroupMinSize : undefined;
}
