/**
 * How each method starts, as PEFT has it. LoRA: A uniform in +-1/sqrt(in) (kaiming_uniform with a = sqrt 5), B zero,
 * unless `init_lora_weights` says otherwise; DoRA's magnitudes are the row norms of the weight with B A added; biases
 * those of the base. IA3: ones. Prefix: a normal distribution, as an embedding's. Full fine-tuning: the model as it is.
 * What is random comes from one Xoshiro128 of the run's seed, parameter by parameter in the order of the layout, row
 * by row, normals by Box and Muller; `orthogonal` draws a layer's B together with its A.
 */
import { startsFromWeights, type LoraConfig, type PeftConfig } from '../config';
import { Xoshiro128 } from '../config/random';
import type { AdapterLayout, AdapterParameter, ParameterKind } from './adapter-layout';
import { rowNorms } from './merge';
import { drawOrthogonal, orthogonalFactors } from './orthogonal-factors';
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
  let done = 0;
  for (const parameter of layout.parameters) {
    signal?.throwIfAborted();
    const { kind, path, offset, count } = parameter;
    if (config.peft_type === 'LORA' && kind === 'lora_A') {
      if (startsFromWeights(config))
        await startFromWeight(flat, layout, parameter, config, seed, base);
      else drawA(flat, layout, parameter, config, random);
    } else if (config.peft_type === 'LORA' && kind === 'lora_B') {
      // An nn.Linear's own start: uniform in +-1/sqrt(R).
      if (config.init_lora_weights === false) fillUniform(flat, parameter, random);
    } else if (kind === 'lora_magnitude_vector')
      setRowNorms(flat, layout, parameter, await base(`${path}.weight`));
    else if (kind === 'bias') flat.set(await base(`${path}.bias`), offset);
    else if (kind === 'tensor') flat.set(await base(path), offset);
    else if (kind === 'ia3_l') flat.fill(1, offset, offset + count);
    else if (kind === 'prompt_embeddings') fillNormal(flat, parameter, 1, random);
    onProgress?.(++done, layout.parameters.length);
  }
  return flat;
}

/** A, and of an orthogonal start B too. */
function drawA(
  flat: Float32Array,
  layout: AdapterLayout,
  a: AdapterParameter,
  { init_lora_weights }: LoraConfig,
  random: Xoshiro128,
): void {
  const [rank, inFeatures] = a.shape;
  if (init_lora_weights === 'gaussian') fillNormal(flat, a, 1 / rank, random);
  else if (init_lora_weights === 'orthogonal') {
    const b = find(layout, a.path, 'lora_B');
    const shape = [b.shape[0], inFeatures] as const;
    const draw = (count: number) => new Float64Array(count).map(() => random.nextNormal());
    const factors = orthogonalFactors(rank, shape, drawOrthogonal(rank, shape, draw));
    flat.set(factors.a, a.offset);
    flat.set(factors.b, b.offset);
  } else fillUniform(flat, a, random);
}

const find = ({ parameters }: AdapterLayout, path: string, wanted: ParameterKind) =>
  parameters.find((parameter) => parameter.path === path && parameter.kind === wanted)!;

async function startFromWeight(
  flat: Float32Array,
  layout: AdapterLayout,
  a: AdapterParameter,
  config: LoraConfig,
  seed: number,
  base: BaseTensor,
): Promise<void> {
  const b = find(layout, a.path, 'lora_B');
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

/** After A and B, which come first in a layout. */
function setRowNorms(
  flat: Float32Array,
  layout: AdapterLayout,
  { path, offset, count }: AdapterParameter,
  weight: Float32Array,
): void {
  const valuesOf = ({ offset: start, count: length }: AdapterParameter) =>
    flat.subarray(start, start + length);
  const [a, b] = [find(layout, path, 'lora_A'), find(layout, path, 'lora_B')];
  const lowRank = { a: valuesOf(a), b: valuesOf(b), rank: a.shape[0] };
  const { scale } = layout.lora.get(path)!;
  flat.set(rowNorms(weight, [count, a.shape[1]], { ...lowRank, scale }), offset);
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
  deviation: number,
  random: Xoshiro128,
): void {
  for (let i = 0; i < count; i++) flat[offset + i] = deviation * random.nextNormal();
}
