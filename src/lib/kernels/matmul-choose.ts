/** Measures the matrix kernels on a device, so that plans recorded after it use the fastest. */
import { Arena, PlanBuilder, type Gpu } from '../gpu';
import { matmul } from './matmul';
import {
  candidateMatmulVariants,
  hasMatmulVariant,
  matmulVariantOf,
  setMatmulVariant,
  type MatmulVariant,
} from './matmul-variant';

/** A product as a small model has it: large enough to fill a GPU for a moment, short on a CPU. */
const SIZE = { M: 256, K: 512, N: 512 };
const REPEATS = 3;

const running = new WeakMap<Gpu, Promise<MatmulVariant>>();

/**
 * The fastest variant on this device. Measures once where there is a choice (some tens of milliseconds and
 * the compilation), then remembers; `setMatmulVariant` before it settles the question without measuring.
 */
export function chooseMatmulVariant(gpu: Gpu): Promise<MatmulVariant> {
  if (hasMatmulVariant(gpu)) return Promise.resolve(matmulVariantOf(gpu));
  let choice = running.get(gpu);
  if (!choice) {
    choice = measure(gpu).finally(() => running.delete(gpu));
    running.set(gpu, choice);
  }
  return choice;
}

async function measure(gpu: Gpu): Promise<MatmulVariant> {
  const candidates = candidateMatmulVariants(gpu);
  if (candidates.length === 1) {
    setMatmulVariant(gpu, candidates[0]);
    return candidates[0];
  }
  const { M, K, N } = SIZE;
  const arena = new Arena(gpu, 'matmul choice');
  const x = gpu.createTensor('matmul choice/x', [M, K]);
  const weight = gpu.createTensor('matmul choice/weight', [N, K]);
  try {
    let best = matmulVariantOf(gpu);
    let bestMs = Infinity;
    for (const variant of candidates) {
      const elapsedMs = await timeVariant(gpu, arena, variant, x, weight);
      if (elapsedMs < bestMs) [best, bestMs] = [variant, elapsedMs];
    }
    if (!hasMatmulVariant(gpu)) setMatmulVariant(gpu, best);
    return matmulVariantOf(gpu);
  } finally {
    arena.dispose();
    gpu.destroyTensor(x);
    gpu.destroyTensor(weight);
  }
}

async function timeVariant(
  gpu: Gpu,
  arena: Arena,
  variant: MatmulVariant,
  x: Parameters<typeof matmul>[1]['a'],
  weight: Parameters<typeof matmul>[1]['b'],
): Promise<number> {
  const builder = new PlanBuilder(gpu, `matmul choice/${variant}`);
  matmul(builder, { label: '/choice', a: x, b: weight, transposeB: true, variant });
  const plan = await builder.build(arena);
  try {
    await plan.run();
    let bestMs = Infinity;
    for (let i = 0; i < REPEATS; i++) {
      const start = performance.now();
      await plan.run();
      bestMs = Math.min(bestMs, performance.now() - start);
    }
    return bestMs;
  } finally {
    plan.dispose();
  }
}
