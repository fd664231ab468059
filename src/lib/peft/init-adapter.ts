/**
 * How each method starts, as PEFT has it. LoRA: A uniform in +-1/sqrt(in) (kaiming_uniform with a = sqrt 5),
 * B zero; DoRA's magnitudes are the row norms of the weight; biases those of the base. IA3: ones. Prefix: a
 * normal distribution, as an embedding's. Full fine-tuning: the model as it is.
 */
import { startsFromWeights, type LoraConfig, type PeftConfig } from '../config';
import { Xoshiro128 } from '../config/random';
import type { AdapterLayout, AdapterParameter } from './adapter-layout';
import { factorsOfWeight } from './weight-factors';

/** A tensor of the base model by its checkpoint name, as f32. */
export type BaseTensor = (name: string) => Promise<Float32Array>;

export interface InitOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** @returns the flat parameter buffer's content */
export async function initAdapter(
  layout: AdapterLayout,
  config: PeftConfig,
  seed: number,
  base: BaseTensor,
  { signal, onProgress }: InitOptions = {},
): Promise<Float32Array> {
  const flat = new Float32Array(layout.flatCount);
  const random = new Xoshiro128(seed);
  const factored = config.peft_type === 'LORA' && startsFromWeights(config);
  let done = 0;
  for (const parameter of layout.parameters) {
    signal?.throwIfAborted();
    const { kind, path, offset, count } = parameter;
    if (kind === 'lora_A' && factored)
      await startFromWeight(flat, layout, parameter, config, seed, base);
    else if (kind === 'lora_A') fillUniform(flat, parameter, random);
    else if (kind === 'lora_magnitude_vector')
      setRowNorms(flat, parameter, await base(`${path}.weight`));
    else if (kind === 'bias') flat.set(await base(`${path}.bias`), offset);
    else if (kind === 'tensor') flat.set(await base(path), offset);
    else if (kind === 'ia3_l') flat.fill(1, offset, offset + count);
    else if (kind === 'prompt_embeddings') fillNormal(flat, parameter, random);
    onProgress?.(++done, layout.parameters.length);
  }
  return flat;
}

async function startFromWeight(
  flat: Float32Array,
  layout: AdapterLayout,
  a: AdapterParameter,
  config: LoraConfig,
  seed: number,
  base: BaseTensor,
): Promise<void> {
  const b = layout.parameters.find(({ path, kind }) => path === a.path && kind === 'lora_B')!;
  const weight = await base(`${a.path}.weight`);
  const factors = factorsOfWeight(weight, [b.shape[0], a.shape[1]], {
    rank: a.shape[0],
    method: config.init_lora_weights,
    scale: layout.lora.get(a.path)!.scale,
    seed,
  });
  flat.set(factors.a, a.offset);
  flat.set(factors.b, b.offset);
}

function setRowNorms(
  flat: Float32Array,
  { offset, count }: AdapterParameter,
  weight: Float32Array,
): void {
  const columns = weight.length / count;
  for (let row = 0; row < count; row++) {
    let sum = 0;
    for (let i = row * columns; i < (row + 1) * columns; i++) sum += weight[i] * weight[i];
    flat[offset + row] = Math.sqrt(sum);
  }
}

function fillUniform(
  flat: Float32Array,
  { offset, count, shape }: AdapterParameter,
  random: Xoshiro128,
): void {
  const bound = 1 / Math.sqrt(shape[1]);
  for (let i = 0; i < count; i++) flat[offset + i] = (2 * random.nextUnit() - 1) * bound;
}

function fillNormal(
  flat: Float32Array,
  { offset, count }: AdapterParameter,
  random: Xoshiro128,
): void {
  for (let i = 0; i < count; i++) flat[offset + i] = random.nextNormal();
}
