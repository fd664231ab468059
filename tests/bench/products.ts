/** Which products the bench times, and our kernels for them: the forms that training multiplies, by storage type. */
import { Arena, PlanBuilder, type DType, type Gpu } from '$lib/gpu';
import { matmul } from '$lib/kernels/matmul';
import { matmulForm, matmulVariantOf, type MatmulVariant } from '$lib/kernels/matmul-variant';
import type { Rated } from './measure';

/** (m, k) times (k, n). */
export type Size = readonly [m: number, k: number, n: number];

/** Held against peers: a square product, and the linear layers of a small model at 1024 tokens. */
export const SIZES: readonly Size[] = [
  [512, 512, 512],
  [1024, 576, 1536],
  [1024, 576, 576],
  [1024, 1536, 576],
];

export interface ProductForm {
  readonly name: string;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly dtype: DType;
  readonly fp16?: boolean;
  /** The one that this adapter uses when left out. */
  readonly variant?: MatmulVariant;
}

const form = (
  name: string,
  dtype: DType,
  { transposeA = false, transposeB = false },
): ProductForm => ({ name: `${name}/${dtype}`, dtype, transposeA, transposeB });

/** Forward with weights as published, backward to the input, gradient of a weight (its right side is an activation). */
export const FORMS: readonly ProductForm[] = [
  ...(['f32', 'f16', 'bf16'] as const).flatMap((dtype) => [
    form('a-bt', dtype, { transposeB: true }),
    form('a-b', dtype, {}),
  ]),
  form('at-b', 'f32', { transposeA: true }),
];

/** LoRA's products at 1024 tokens: down and up, and the gradients of A and B. */
export const LORA_PRODUCTS: readonly { size: Size; form: ProductForm }[] = [8, 64].flatMap((R) => [
  { size: [1024, 576, R], form: form('a-bt', 'f32', { transposeB: true }) },
  { size: [1024, R, 576], form: form('a-bt', 'f32', { transposeB: true }) },
  { size: [R, 1024, 576], form: form('at-b', 'f32', { transposeA: true }) },
]);

export async function openProduct(
  gpu: Gpu,
  [m, k, n]: Size,
  { transposeA, transposeB, dtype, fp16, variant: asked }: ProductForm,
): Promise<Rated> {
  const random = (count: number, factor: number) =>
    Float32Array.from({ length: count }, (_, i) => ((i * factor) % 101) / 101 - 0.5);
  const a = gpu.createTensor('bench/a', transposeA ? [k, m] : [m, k], 'f32', random(m * k, 37));
  const b = gpu.createTensor('bench/b', transposeB ? [n, k] : [k, n], dtype);
  if (dtype === 'f32') gpu.upload(b, random(k * n, 53));
  // 0x3c00 and the like: small ordinary numbers in either 16-bit type.
  else
    gpu.upload(
      b,
      Uint16Array.from({ length: k * n }, (_, i) => 0x3c00 + (i % 64)),
    );
  const out = gpu.createTensor('bench/out', [m, n]);
  const arena = new Arena(gpu, 'bench');
  const builder = new PlanBuilder(gpu, 'bench');
  const variant = asked ?? matmulVariantOf(gpu, matmulForm(transposeA, transposeB));
  matmul(builder, { label: '/bench', a, b, transposeA, transposeB, out, variant, fp16 });
  const plan = await builder.build(arena);
  return {
    operations: 2 * m * k * n,
    run: async (repeats) => {
      for (let i = 1; i < repeats; i++) plan.submit();
      await plan.run();
    },
    dispose: () => {
      plan.dispose();
      arena.dispose();
      for (const tensor of [a, b, out]) gpu.destroyTensor(tensor);
    },
  };
}
