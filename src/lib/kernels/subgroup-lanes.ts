/** Which adapters run the kernels that are written for subgroups of one size: CPUs, of 4 lanes or of 8, and some cards. */
import type { Gpu } from '../gpu';

/** Lanes of every subgroup on this device; undefined where there are none, or of more than one size. */
export function subgroupLanes({ features, device }: Gpu): number | undefined {
  const { subgroupMinSize, subgroupMaxSize } = device.adapterInfo;
  return features.subgroups && subgroupMinSize === subgroupMaxSize ? subgroupMinSize : undefined;
}

/** Of the texts that put the threads of a row together by shuffles. */
const ROW_LANES: readonly (number | undefined)[] = [4, 8, 16, 32, 64];

/** Lanes of a subgroup where a row can be put together by shuffles, else undefined. */
export function rowLanes(gpu: Gpu): number | undefined {
  const lanes = subgroupLanes(gpu);
  return ROW_LANES.includes(lanes) ? lanes : undefined;
}
