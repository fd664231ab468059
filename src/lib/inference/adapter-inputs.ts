/** An adapter as inputs of a graph: every part present, of the right shape, in the right memory. */
import type { LinearModule, ModelConfig } from '../config';
import type { Tensor } from '../gpu';
import { factorInputs, loraInputs } from '../onnx-export';
import { InferenceError } from './errors';

/** A tensor in main memory, for the CPU backend. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export type InputTensor = Tensor | HostTensor;

/** Factors on what comes out of, or goes into, the linear layers of some modules. */
export interface LayerFactors {
  readonly modules: readonly LinearModule[];
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
  /** Modules that carry A and B; none where the method is another. */
  readonly targets: readonly LinearModule[];
  /** PEFT's saved key to A (rank, in) or B (out, rank). */
  readonly tensors: ReadonlyMap<string, InputTensor>;
  /** alpha / r */
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
        `The adapter has ${name}, which is no factor of ${adapter.targets.join(', ')} in this model.`,
      );
  for (const { name, factor, features } of wanted) {
    const tensor = adapter.tensors.get(name);
    if (!tensor) throw badAdapter(`The adapter has no ${name}, which its target modules ask for.`);
    const [first, second] = tensor.shape;
    const found = factor === 'A' ? second : first;
    if (tensor.shape.length !== 2 || found !== features)
      throw badAdapter(
        `${name} has shape [${tensor.shape}]; this model asks for ${factor === 'A' ? `[rank, ${features}]` : `[${features}, rank]`}. The adapter belongs to another model.`,
      );
  }
  for (const side of ['rows', 'columns'] as const)
    for (const { name, path, features } of factorInputs(
      config,
      adapter[side]?.modules ?? [],
      side,
    )) {
      const shape = adapter[side]!.byPath.get(path)?.shape;
      if (String(shape) !== String([features]))
        throw badAdapter(
          `${name} has shape [${shape ?? 'none'}]; this model asks for [${features}]. The adapter belongs to another model.`,
        );
    }
  if (!Number.isFinite(adapter.scale))
    throw badAdapter(`The adapter's scale is ${adapter.scale}; a finite number is allowed.`);
}

export const badAdapter = (message: string) => new InferenceError('bad-adapter', message);
