/** An adapter as inputs of a graph: every factor present, of the right shape, in the right memory. */
import type { LinearModule, ModelConfig } from '../config';
import type { Tensor } from '../gpu';
import { loraInputs, type LoraInput } from '../onnx-export';
import { InferenceError } from './errors';

/** A tensor in main memory, for the CPU backend. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface AdapterInputs {
  readonly targets: readonly LinearModule[];
  /** PEFT's saved key to A (rank, in) or B (out, rank). */
  readonly tensors: ReadonlyMap<string, Tensor | HostTensor>;
  /** alpha / r */
  readonly scale: number;
  /** Checkpoint name to a trained bias that takes the place of the base's. */
  readonly biases?: ReadonlyMap<string, Tensor | HostTensor>;
}

/** @throws InferenceError `bad-adapter` */
export function checkAdapter(config: ModelConfig, adapter: AdapterInputs): readonly LoraInput[] {
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
  if (!Number.isFinite(adapter.scale))
    throw badAdapter(`The adapter's scale is ${adapter.scale}; a finite number is allowed.`);
  return wanted;
}

export const badAdapter = (message: string) => new InferenceError('bad-adapter', message);
