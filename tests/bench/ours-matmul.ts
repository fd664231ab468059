/** Speed of our matrix product: many products in one plan, so that a submission's own cost is spread. */
import { Arena, PlanBuilder, type DType, type Gpu } from '$lib/gpu';
import { matmul } from '$lib/kernels/matmul';
import { matmulVariantOf, type MatmulVariant } from '$lib/kernels/matmul-variant';

export interface MatmulOptions {
  /** Storage type of the right-hand matrix; f32 when left out. */
  dtype?: DType;
  transposeA?: boolean;
  /** The right-hand matrix as (N, K), as PyTorch stores weights; true when left out. */
  transposeB?: boolean;
  /** The variant in use on this device when left out. */
  variant?: MatmulVariant;
  /** Timed runs, the best of which counts; 5 when left out. */
  runs?: number;
}

export interface MatmulSpeed {
  variant: MatmulVariant;
  /** 2 M K N / time, in 10^9 a second. */
  gflops: number;
  /** Of one product. */
  elapsedMs: number;
  /** Of the first run, compilation included, less an ordinary run. */
  compileMs: number;
}

/** Products are repeated in a plan until it has about this many operations. */
const OPERATIONS_A_RUN = 2e8;

/** (M, K) times (K, N). */
export async function measureMatmul(
  gpu: Gpu,
  m: number,
  k: number,
  n: number,
  options: MatmulOptions = {},
): Promise<MatmulSpeed> {
  const { dtype = 'f32', transposeA = false, transposeB = true, runs = 5 } = options;
  const variant = options.variant ?? matmulVariantOf(gpu);
  const a = gpu.createTensor('bench/a', transposeA ? [k, m] : [m, k]);
  const b = gpu.createTensor('bench/b', transposeB ? [n, k] : [k, n], dtype);
  const out = gpu.createTensor('bench/out', [m, n]);
  const arena = new Arena(gpu, 'bench');
  const operations = 2 * m * k * n;
  const repeats = Math.max(1, Math.round(OPERATIONS_A_RUN / operations));
  const builder = new PlanBuilder(gpu, 'bench');
  for (let i = 0; i < repeats; i++)
    matmul(builder, { label: '/bench', a, b, transposeA, transposeB, out, variant });
  const start = performance.now();
  const plan = await builder.build(arena);
  await plan.run();
  const firstMs = performance.now() - start;
  let bestMs = Infinity;
  for (let i = 0; i < runs; i++) {
    const before = performance.now();
    await plan.run();
    bestMs = Math.min(bestMs, performance.now() - before);
  }
  plan.dispose();
  arena.dispose();
  for (const tensor of [a, b, out]) gpu.destroyTensor(tensor);
  return {
    variant,
    gflops: (operations * repeats) / bestMs / 1e6,
    elapsedMs: bestMs / repeats,
    compileMs: firstMs - bestMs,
  };
}
