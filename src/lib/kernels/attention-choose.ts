/** Measures the attention kernels on a graphics card, so that plans recorded after it use the fastest. */
import { Xoshiro128 } from '../config/random';
import { Arena, type Gpu, type Tensor } from '../gpu';
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

const SEED = 1;
/** A start that takes another way than the last one for a gain within the noise helps nobody. */
const WORTH_IT = 0.95;

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

/**
 * The first candidate, unless another gives the very same bits in clearly less time. That lanes lie in the order of threads,
 * and that a compiler rounds two texts alike, is true of every driver known, and here of the one at hand.
 */
async function fastestOf(
  gpu: Gpu,
  candidates: readonly AttentionVariant[],
): Promise<AttentionVariant> {
  const { B, T, heads, kvHeads, headDim } = SHAPE;
  const arena = new Arena(gpu, 'attention choice');
  const random = new Xoshiro128(SEED);
  const tensorOf = (name: string, rows: number) => {
    const values = Float32Array.from({ length: B * T * rows * headDim }, () => random.nextNormal());
    return gpu.createTensor(`attention choice/${name}`, [B * T, rows * headDim], 'f32', values);
  };
  const inputs = { q: tensorOf('q', heads), k: tensorOf('k', kvHeads), v: tensorOf('v', kvHeads) };
  const dOut = tensorOf('dOut', heads);
  try {
    const [first, ...others] = candidates;
    const trial = await tryVariant(gpu, arena, first, { ...inputs, dOut });
    let best = { variant: first, ms: WORTH_IT * trial.ms };
    for (const variant of others) {
      // What a driver cannot compile is not taken.
      const { ms, results } = await tryVariant(gpu, arena, variant, { ...inputs, dOut }).catch(
        () => ({ ms: Infinity, results: [] }),
      );
      if (ms < best.ms && isSame(results, trial.results)) best = { variant, ms };
    }
    return best.variant;
  } finally {
    arena.dispose();
    for (const tensor of [...Object.values(inputs), dOut]) gpu.destroyTensor(tensor);
  }
}

/** @returns the time of a forward and backward pass, and out, dQ, dK and dV */
async function tryVariant(
  gpu: Gpu,
  arena: Arena,
  variant: AttentionVariant,
  { dOut, ...inputs }: Readonly<Record<'q' | 'k' | 'v' | 'dOut', Tensor>>,
): Promise<{ ms: number; results: Float32Array[] }> {
  const kept: Tensor[] = [];
  const ms = await timePlan(gpu, arena, `attention choice/${variant}`, (builder) => {
    const options = { label: '/choice', ...inputs, ...SHAPE, variant };
    const forward = attentionForward(builder, options);
    const { dQ, dK, dV } = attentionBackward(builder, { ...options, ...forward, dOut });
    kept.push(forward.out, dQ, dK, dV);
    for (const tensor of kept) builder.keep(tensor);
  });
  return { ms, results: await Promise.all(kept.map((tensor) => gpu.readFloats(tensor))) };
}

const isSame = (found: readonly Float32Array[], expected: readonly Float32Array[]): boolean =>
  found.length === expected.length &&
  found.every((values, i) => values.every((value, j) => value === expected[i][j]));
