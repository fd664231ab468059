/** Which adapters run the kernels that are written for subgroups of exactly 8 lanes: CPUs (lavapipe). */
import type { Gpu } from '../gpu';

export const SUBGROUP_LANES = 8;

export function hasEightLanes({ features, device }: Gpu): boolean {
  const { subgroupMinSize, subgroupMaxSize } = device.adapterInfo;
  return (
    features.subgroups && subgroupMinSize === SUBGROUP_LANES && subgroupMaxSize === SUBGROUP_LANES
  );
}
