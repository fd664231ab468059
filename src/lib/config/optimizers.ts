/**
 * transformers' names of AdamW, kept as a file gives them: there is one update with moments of 32 bits here and one
 * with moments of 8. A name that stands for another update is refused.
 */
import type { Fields } from './fields';

/** torch's arithmetic but for the last: what differs is how a step is compiled, and where the moments wait for it. */
const MOMENTS_OF_32_BITS = [
  'adamw_torch',
  'adamw_torch_fused',
  'adamw_torch_xla',
  'adamw_torch_npu_fused',
  'adamw_apex_fused',
  // bitsandbytes': the weights decay after the step instead of before it.
  'paged_adamw_32bit',
] as const;

/** bitsandbytes' arithmetic; pages are a matter of CUDA's memory. */
const MOMENTS_OF_8_BITS = ['adamw_8bit', 'adamw_bnb_8bit', 'paged_adamw_8bit'] as const;

export const OPTIMIZERS = [...MOMENTS_OF_32_BITS, ...MOMENTS_OF_8_BITS] as const;
export type OptimizerName = (typeof OPTIMIZERS)[number];

/** AdamW all the same, but rounded, quantised or kept from zero otherwise: what to take instead. */
const NEAREST: ReadonlyMap<unknown, OptimizerName> = new Map([
  ['adamw_torch_8bit', 'adamw_8bit'],
  ['adamw_torch_4bit', 'adamw_8bit'],
  ['adamw_anyprecision', 'adamw_torch'],
  ['adamw_hf', 'adamw_torch'],
]);

export const has8bitMoments = ({ optim }: { readonly optim: OptimizerName }): boolean =>
  MOMENTS_OF_8_BITS.some((name) => name === optim);

/** @throws ConfigError with the nearest name, or all there are */
export function readOptimizer(fields: Fields, fallback: OptimizerName): OptimizerName {
  const value = fields.value('optim');
  const nearest = NEAREST.get(value);
  if (nearest) throw fields.unsupported('optim', value, nearest);
  return fields.oneOf('optim', OPTIMIZERS, fallback);
}
