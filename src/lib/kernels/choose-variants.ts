/** Has the fastest kernels of a device chosen, one kind after the other so that none is measured beside another. */
import type { Gpu } from '../gpu';
import { chooseAttentionVariant } from './attention-choose';
import { chooseMatmulVariants } from './matmul-choose';

/** Measures once for each device, where there is a choice. */
export async function chooseVariants(gpu: Gpu): Promise<void> {
  await chooseMatmulVariants(gpu);
  await chooseAttentionVariant(gpu);
}
