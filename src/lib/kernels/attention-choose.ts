/** Measures the attention kernels on a graphics card, so that plans recorded after it use the fastest. */
import { Arena, type Gpu } from '../gpu';
import { attentionBackward, attentionForward } from './attention';
import {
  attentionVariantOf,
  candidateAttentionVariants,
  hasAttentionVariant,
  setAttentionVariant,
  type AttentionVariant,
} from './attention-variant';
import { timePlan } from './time-plan';

/** As a small model has it, at a length at which attention counts. */
const SHAPE = { B: 1, T: 512, heads: 8, kvHeads: 4, headDim: 64, scale: 1 / 8 };

const running = new WeakMap<Gpu['device'], Promise<AttentionVariant>>();

/**
 * The fastest variant on this device, forward and backward together. Measures once where there is a choice (some
 * milliseconds and the compilation), then remembers; `setAttentionVariant` before it settles it without measuring.
 */
export function chooseAttentionVariant(gpu: Gpu): Promise<AttentionVariant> {
  let choice = running.get(gpu.device);
  if (!choice) {
    choice = measure(gpu).finally(() => running.delete(gpu.device));
    running.set(gpu.device, choice);
  }
  return choice;
}

async function measure(gpu: Gpu): Promise<AttentionVariant> {
  const candidates = candidateAttentionVariants(gpu);
  if (candidates.length > 1 && !hasAttentionVariant(gpu)) {
    const fastest = await fastestOf(gpu, candidates);
    if (!hasAttentionVariant(gpu)) setAttentionVariant(gpu, fastest);
  }
  return attentionVariantOf(gpu);
}

async function fastestOf(
  gpu: Gpu,
  candidates: readonly AttentionVariant[],
): Promise<AttentionVariant> {
  const { B, T, heads, kvHeads, headDim } = SHAPE;
  const arena = new Arena(gpu, 'attention choice');
  const tensorOf = (name: string, rows: number) =>
    gpu.createTensor(`attention choice/${name}`, [B * T, rows * headDim]);
  const inputs = { q: tensorOf('q', heads), k: tensorOf('k', kvHeads), v: tensorOf('v', kvHeads) };
  const dOut = tensorOf('dOut', heads);
  try {
    let best = candidates[0];
    let bestMs = Infinity;
    for (const variant of candidates) {
      const ms = await timePlan(gpu, arena, `attention choice/${variant}`, (builder) => {
        const options = { label: '/choice', ...inputs, ...SHAPE, variant };
        const forward = attentionForward(builder, options);
        attentionBackward(builder, { ...options, ...forward, dOut });
      });
      if (ms < bestMs) [best, bestMs] = [variant, ms];
    }
    return best;
  } finally {
    arena.dispose();
    for (const tensor of [...Object.values(inputs), dOut]) gpu.destroyTensor(tensor);
  }
}
