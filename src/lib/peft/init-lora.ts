/** PEFT's start: A uniform in +-1/sqrt(in) (kaiming_uniform with a = sqrt 5), B zero, biases those of the base. */
import { Xoshiro128 } from '../config/random';
import type { LoraLayout, LoraParameter } from './lora-layout';

/**
 * @param baseBias values of a layer's bias in the base model
 * @returns the flat parameter buffer's content
 */
export async function initLora(
  layout: LoraLayout,
  seed: number,
  baseBias: (path: string) => Promise<Float32Array>,
): Promise<Float32Array> {
  const flat = new Float32Array(layout.flatCount);
  const random = new Xoshiro128(seed);
  for (const parameter of layout.parameters) {
    if (parameter.kind === 'lora_A') fillUniform(flat, parameter, random);
    if (parameter.kind === 'bias') flat.set(await baseBias(parameter.path), parameter.offset);
  }
  return flat;
}

function fillUniform(
  flat: Float32Array,
  { offset, count, shape }: LoraParameter,
  random: Xoshiro128,
) {
  const bound = 1 / Math.sqrt(shape[1]);
  for (let i = 0; i < count; i++) flat[offset + i] = (2 * random.nextUnit() - 1) * bound;
}
