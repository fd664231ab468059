/** Our attention in plans of its own: forward alone, and forward with backward. */
import { Arena, PlanBuilder, type Gpu } from '$lib/gpu';
import { attentionBackward, attentionForward } from '$lib/kernels/attention';
import type { AttentionOperands, AttentionShape } from './attention-problem';
import type { AttentionRuns } from './contender';

export async function openAttention(
  gpu: Gpu,
  { B, T, H, K, D }: AttentionShape,
  operands: AttentionOperands,
): Promise<AttentionRuns> {
  const wide = (label: string, data: Float32Array) =>
    gpu.createTensor(label, [B * T, H * D], 'f32', data);
  const narrow = (label: string, data: Float32Array) =>
    gpu.createTensor(label, [B * T, K * D], 'f32', data);
  const q = wide('bench/q', operands.q);
  const k = narrow('bench/k', operands.k);
  const v = narrow('bench/v', operands.v);
  const dOut = wide('bench/dOut', operands.dOut);
  const shape = { label: '/bench', B, T, heads: H, kvHeads: K, headDim: D, scale: D ** -0.5 };
  const arena = new Arena(gpu, 'bench');

  const forwardBuilder = new PlanBuilder(gpu, 'bench forward');
  forwardBuilder.keep(attentionForward(forwardBuilder, { ...shape, q, k, v }).out);
  const builder = new PlanBuilder(gpu, 'bench training');
  const { out, lse } = attentionForward(builder, { ...shape, q, k, v });
  const gradients = attentionBackward(builder, { ...shape, q, k, v, dOut, out, lse });
  for (const tensor of [out, ...Object.values(gradients)]) builder.keep(tensor);
  const training = await builder.build(arena);
  const forward = await forwardBuilder.build(arena);
  const repeated = (plan: typeof forward) => async (repeats: number) => {
    for (let i = 1; i < repeats; i++) plan.submit();
    await plan.run();
  };
  return {
    forward: repeated(forward),
    training: repeated(training),
    async results() {
      await training.run();
      const [dQ, dK, dV] = [gradients.dQ, gradients.dK, gradients.dV].map((tensor) =>
        gpu.readFloats(tensor),
      );
      return { out: await gpu.readFloats(out), dQ: await dQ, dK: await dK, dV: await dV };
    },
    dispose() {
      for (const plan of [forward, training]) plan.dispose();
      arena.dispose();
      for (const tensor of [q, k, v, dOut]) gpu.destroyTensor(tensor);
    },
  };
}
