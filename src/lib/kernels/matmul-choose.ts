/** Measures the matrix kernels on a device, so that plans recorded after it use the fastest for each form. */
import { Arena, reshaped, type Gpu, type Tensor } from '../gpu';
import { matmul } from './matmul';
import {
  candidateMatmulVariants,
  hasMatmulVariant,
  MATMUL_FORMS,
  matmulVariantOf,
  setMatmulVariant,
  type MatmulForm,
  type MatmulVariant,
} from './matmul-variant';
import { timePlan } from './time-plan';

/** A product as a small model has it: large enough to fill a GPU for a moment, short on a CPU. */
const SIZE = { M: 256, K: 512, N: 512 };

export type MatmulChoice = Readonly<Record<MatmulForm, MatmulVariant>>;

const running = new WeakMap<Gpu['device'], Promise<MatmulChoice>>();

/**
 * The fastest variants on this device. Measures once where there is a choice (some tens of milliseconds and
 * the compilation), then remembers; `setMatmulVariant` before it settles a form without measuring.
 */
export function chooseMatmulVariants(
  gpu: Gpu,
  candidates = candidateMatmulVariants(gpu),
): Promise<MatmulChoice> {
  let choice = running.get(gpu.device);
  if (!choice) {
    choice = measure(gpu, candidates).finally(() => running.delete(gpu.device));
    running.set(gpu.device, choice);
  }
  return choice;
}

async function measure(gpu: Gpu, candidates: readonly MatmulVariant[]): Promise<MatmulChoice> {
  const open = MATMUL_FORMS.filter((form) => !hasMatmulVariant(gpu, form));
  if (candidates.length === 1) for (const form of open) setMatmulVariant(gpu, candidates[0], form);
  else if (open.length > 0) await measureForms(gpu, candidates, open);
  const [forward, input, weight] = MATMUL_FORMS.map((form) => matmulVariantOf(gpu, form));
  return { 'a-bt': forward, 'a-b': input, 'at-b': weight };
}

async function measureForms(
  gpu: Gpu,
  candidates: readonly MatmulVariant[],
  forms: readonly MatmulForm[],
): Promise<void> {
  const { M, K, N } = SIZE;
  const arena = new Arena(gpu, 'matmul choice');
  const a = gpu.createTensor('matmul choice/a', [M * K]);
  const b = gpu.createTensor('matmul choice/b', [K * N]);
  try {
    for (const form of forms) {
      let best = candidates[0];
      let bestMs = Infinity;
      for (const variant of candidates) {
        const elapsedMs = await timeVariant(gpu, arena, form, variant, a, b);
        if (elapsedMs < bestMs) [best, bestMs] = [variant, elapsedMs];
      }
      if (!hasMatmulVariant(gpu, form)) setMatmulVariant(gpu, best, form);
    }
  } finally {
    arena.dispose();
    gpu.destroyTensor(a);
    gpu.destroyTensor(b);
  }
}

function timeVariant(
  gpu: Gpu,
  arena: Arena,
  form: MatmulForm,
  variant: MatmulVariant,
  a: Tensor,
  b: Tensor,
): Promise<number> {
  const { M, K, N } = SIZE;
  const transposeA = form === 'at-b';
  const transposeB = form === 'a-bt';
  return timePlan(gpu, arena, `matmul choice/${form}/${variant}`, (builder) =>
    matmul(builder, {
      label: '/choice',
      a: reshaped(a, transposeA ? [K, M] : [M, K]),
      b: reshaped(b, transposeB ? [N, K] : [K, N]),
      ...{ transposeA, transposeB, variant },
    }),
  );
}
