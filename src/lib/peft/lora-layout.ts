/**
 * Which tensors a LoRA adapter has on a model, under which PEFT keys, and where each lies in the
 * flat parameter buffer. Knows linear layers only by path and width.
 */
import type { LinearModule, LoraConfig } from '../config';
import { PeftError } from './errors';

/** What LoRA needs to know of a linear layer. */
export interface LinearLayer {
  readonly path: string;
  readonly module: LinearModule;
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly hasBias: boolean;
}

export type LoraParameterKind = 'lora_A' | 'lora_B' | 'bias';

export interface LoraParameter {
  /** Key in adapter_model.safetensors. */
  readonly key: string;
  /** Path of the linear layer that it belongs to. */
  readonly path: string;
  readonly kind: LoraParameterKind;
  readonly shape: readonly number[];
  readonly count: number;
  /** First element in the flat buffer. */
  readonly offset: number;
}

export interface LoraLayout {
  readonly parameters: readonly LoraParameter[];
  /** Elements of the flat buffer, padding between parameters included. */
  readonly flatCount: number;
  /** Elements [0, decayCount) get weight decay, as in the Trainer: biases never do. */
  readonly decayCount: number;
  /** Parameters proper, without padding. */
  readonly trainableCount: number;
}

/** Elements: a storage binding starts at a multiple of 256 bytes. */
const ALIGNMENT = 64;

const PREFIX = 'base_model.model.';

/** @throws PeftError `no-target` when no layer is a target */
export function layoutLora(layers: readonly LinearLayer[], config: LoraConfig): LoraLayout {
  const parameters: LoraParameter[] = [];
  let flatCount = 0;
  const add = (key: string, path: string, kind: LoraParameterKind, shape: readonly number[]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    parameters.push({ key, path, kind, shape, count, offset: flatCount });
    flatCount += Math.ceil(count / ALIGNMENT) * ALIGNMENT;
  };
  const isTarget = (layer: LinearLayer) => config.target_modules.includes(layer.module);
  for (const layer of layers.filter(isTarget)) {
    add(loraKey(layer.path, 'lora_A'), layer.path, 'lora_A', [config.r, layer.inFeatures]);
    add(loraKey(layer.path, 'lora_B'), layer.path, 'lora_B', [layer.outFeatures, config.r]);
  }
  if (parameters.length === 0)
    throw new PeftError(
      'no-target',
      `target_modules (${config.target_modules.join(', ')}) names no layer of this model.`,
    );
  const decayCount = flatCount;
  if (config.bias !== 'none')
    for (const layer of layers)
      if (layer.hasBias && (config.bias === 'all' || isTarget(layer)))
        add(biasKey(layer.path, isTarget(layer)), layer.path, 'bias', [layer.outFeatures]);
  return {
    parameters,
    flatCount,
    decayCount,
    trainableCount: parameters.reduce((sum, { count }) => sum + count, 0),
  };
}

export function loraKey(path: string, part: 'lora_A' | 'lora_B'): string {
  return `${PREFIX}${path}.${part}.weight`;
}

/** PEFT wraps a target layer, so its own bias is saved under `base_layer`. */
export function biasKey(path: string, isTarget: boolean): string {
  return `${PREFIX}${path}${isTarget ? '.base_layer' : ''}.bias`;
}
