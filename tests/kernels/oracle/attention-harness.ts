/** Attention on a device, over operands that depend on the case alone. */
import type { Gpu } from '$lib/gpu';
import { attentionBackward, attentionForward } from '$lib/kernels/attention';
import { attentionVariantOf, type AttentionVariant } from '$lib/kernels/attention-variant';
import { runPlan, uniform, upload } from './add-harness';
import type { AttentionCase } from './attention';

export const shape = (
  B: number,
  T: number,
  heads: number,
  kvHeads: number,
  headDim: number,
  slidingWindow?: number,
): AttentionCase => ({
  B,
  T,
  heads,
  kvHeads,
  headDim,
  slidingWindow,
  scale: 1 / Math.sqrt(headDim),
});

export function inputs(s: AttentionCase, spread = 1) {
  const queries = s.B * s.T * s.heads * s.headDim;
  const keys = s.B * s.T * s.kvHeads * s.headDim;
  return {
    q: uniform(queries, 1, -spread, spread),
    k: uniform(keys, 2, -spread, spread),
    v: uniform(keys, 3),
    dOut: uniform(queries, 4),
  };
}

/** First keys of rows made of sequences of these lengths. */
export const packed = (...rows: number[][]) =>
  rows.flatMap((lengths) => {
    let start = 0;
    return lengths.flatMap((length) => new Array<number>(length).fill((start += length) - length));
  });

export const tensors = (gpu: Gpu, s: AttentionCase, x: ReturnType<typeof inputs>) => {
  const queries = [s.B * s.T, s.heads * s.headDim];
  const keys = [s.B * s.T, s.kvHeads * s.headDim];
  return {
    q: upload(gpu, 'q', queries, x.q),
    k: upload(gpu, 'k', keys, x.k),
    v: upload(gpu, 'v', keys, x.v),
    dOut: upload(gpu, 'dOut', queries, x.dOut),
  };
};

export async function runAttention(
  gpu: Gpu,
  s: AttentionCase,
  x = inputs(s),
  variant: AttentionVariant = attentionVariantOf(gpu),
) {
  const { dOut, ...qkv } = tensors(gpu, s, x);
  const { starts, ...sizes } = s;
  const firstKeys =
    starts && gpu.createTensor('firstKeys', [s.B * s.T], 'u32', Uint32Array.from(starts));
  const [out, lse, dQ, dK, dV] = await runPlan(gpu, (plan) => {
    const options = { label: '/attention', ...qkv, ...sizes, firstKeys, variant };
    const forward = attentionForward(plan, options);
    const gradients = attentionBackward(plan, { ...options, ...forward, dOut });
    return [forward.out, forward.lse, gradients.dQ, gradients.dK, gradients.dV];
  });
  for (const tensor of [dOut, ...Object.values(qkv), ...(firstKeys ? [firstKeys] : [])])
    gpu.destroyTensor(tensor);
  return { out, lse, dQ, dK, dV };
}
