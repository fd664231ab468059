/** An adapter as inputs of a graph: every part present, of the right shape, in the right memory. */
import type { ModelConfig } from '../config';
import type { Tensor } from '../gpu';
import { factorInputs, loraInputs, type LayerPaths } from '../onnx-export';
import { InferenceError } from './errors';

/** A tensor in main memory, for the CPU backend. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export type InputTensor = Tensor | HostTensor;

/** Factors on what comes out of, or goes into, some linear layers. */
export interface LayerFactors {
  /** Path of a layer to its factors, (out) or (in). */
  readonly byPath: ReadonlyMap<string, InputTensor>;
}

export interface RowFactors extends LayerFactors {
  /** IA3 multiplies the bias too, DoRA does not. */
  readonly withBias: boolean;
}

/** Keys and values that stand before every sequence, in main memory on either backend. */
export interface PrefixCache {
  /** Rows: as many positions go before the first token. */
  readonly length: number;
  /** `past_key_values.N.key` and `.value`, (1, key heads, length, head size) each. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

export interface AdapterInputs {
  /** Paths of the layers that carry A and B; none where the method is another. */
  readonly targets: LayerPaths;
  /** PEFT's saved key to A (rank, in) or B (out, rank); the rank is each layer's own. */
  readonly tensors: ReadonlyMap<string, InputTensor>;
  /** Of every B A: alpha / r, or 1 where that differs from layer to layer and stands in B. */
  readonly scale: number;
  /** Checkpoint name to a trained bias that takes the place of the base's. */
  readonly biases?: ReadonlyMap<string, InputTensor>;
  readonly rows?: RowFactors;
  readonly columns?: LayerFactors;
  readonly prefix?: PrefixCache;
  /** Checkpoint name to a weight that takes the place of the base's; on the GPU only. */
  readonly weights?: ReadonlyMap<string, Tensor>;
}

/** @throws InferenceError `bad-adapter` */
export function checkAdapter(config: ModelConfig, adapter: AdapterInputs): void {
  const wanted = loraInputs(config, adapter.targets);
  const names = new Set(wanted.map(({ name }) => name));
  for (const name of adapter.tensors.keys())
    if (!names.has(name))
      throw badAdapter(
        `The adapter has ${name}, which is no factor of its target layers in this model.`,
      );
  const ranks = new Map<string, number>();
  for (const { name, factor, features } of wanted) {
    const tensor = adapter.tensors.get(name);
    if (!tensor) throw badAdapter(`The adapter has no ${name}, which its target modules ask for.`);
    const [first, second] = tensor.shape;
    const [found, rank] = factor === 'A' ? [second, first] : [first, second];
    if (tensor.shape.length !== 2 || found !== features)
      throw badAdapter(
        `${name} has shape [${tensor.shape}]; this model asks for ${factor === 'A' ? `[rank, ${features}]` : `[${features}, rank]`}. The adapter belongs to another model.`,
      );
    const layer = name.replace(/\.lora_[AB]\.weight$/, '');
    if ((ranks.get(layer) ?? rank) !== rank)
      throw badAdapter(
        `A of ${layer} has rank ${ranks.get(layer)}, B has ${rank}; they go in pairs.`,
      );
    ranks.set(layer, rank);
  }
  for (const side of ['rows', 'columns'] as const)
    for (const { name, path, features } of factorInputs(config, pathsOf(adapter[side]), side)) {
      const shape = adapter[side]!.byPath.get(path)!.shape;
      if (String(shape) !== String([features]))
        throw badAdapter(
          `${name} has shape [${shape}]; this model asks for [${features}]. The adapter belongs to another model.`,
        );
    }
  if (!Number.isFinite(adapter.scale))
    throw badAdapter(`The adapter's scale is ${adapter.scale}; a finite number is allowed.`);
}

export const pathsOf = (factors: LayerFactors | undefined): LayerPaths =>
  new Set(factors?.byPath.keys());

export const badAdapter = (message: string) => new InferenceError('bad-adapter', message);
