/** PEFT's two files: `adapter_config.json` and `adapter_model.safetensors`, read with distrust and written in full. */
import type { PeftConfig } from '../config';
import {
  findNonFinite,
  parseSafetensorsHeader,
  serializeSafetensors,
  tensorToFloat32,
  type SafetensorsTensor,
} from '../formats';
import {
  readAdapterConfig,
  writeAdapterConfig,
  type BaseModel,
  type ReadAdapterOptions,
} from './adapter-config';
import {
  layoutAdapter,
  withShortTargets,
  type AdaptedModel,
  type AdapterLayout,
  type AdapterParameter,
} from './adapter-layout';
import { PeftError } from './errors';

export const ADAPTER_WEIGHTS_FILE = 'adapter_model.safetensors';

export interface AdapterFiles {
  readonly configJson: string;
  readonly weights: Uint8Array;
}

export interface LoadedAdapter {
  readonly config: PeftConfig;
  readonly layout: AdapterLayout;
  /** Content of the flat parameter buffer. */
  readonly values: Float32Array;
}

/**
 * @param model what the adapter belongs to: the shapes that a prefix is described by
 * @param base its name alone where no more is known
 */
export function writeAdapter(
  { config, layout, values }: LoadedAdapter,
  model: AdaptedModel,
  base: BaseModel | string,
): AdapterFiles {
  const weights = serializeSafetensors(
    layout.parameters.map(({ key, shape, offset, count }) => ({
      name: key,
      dtype: 'F32' as const,
      shape: [...shape],
      data: new Uint8Array(values.slice(offset, offset + count).buffer),
    })),
    { format: 'pt' },
  );
  const named = typeof base === 'string' ? { nameOrPath: base } : base;
  return { configJson: writeAdapterConfig(config, model, named), weights };
}

/**
 * @param model the model that the adapter is to be used on
 * @throws PeftError `wrong-model`, `missing-tensor`, `not-finite`, `changed-base`; ConfigError; FormatError
 */
export function readAdapter(
  files: AdapterFiles,
  model: AdaptedModel,
  options: ReadAdapterOptions = {},
): LoadedAdapter {
  const config = withShortTargets(model, readAdapterConfig(files.configJson, options));
  const layout = layoutAdapter(model, config);
  const header = parseSafetensorsHeader(files.weights, {
    fileName: ADAPTER_WEIGHTS_FILE,
    fileSizeBytes: files.weights.byteLength,
  });
  const stored = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
  // All before the first allocation: the rank is the config's word, the file's size is a fact.
  const found = layout.parameters.map((parameter) => findTensor(stored, parameter));
  const used = new Set(found.map(({ name }) => name));
  const extra = header.tensors.find(({ name }) => !used.has(name));
  if (extra)
    throw new PeftError(
      'wrong-model',
      `The adapter holds ${extra.name}, which this model has no place for. It was made for another model or method.`,
      { details: { name: extra.name } },
    );
  const values = new Float32Array(layout.flatCount);
  layout.parameters.forEach(({ offset }, i) =>
    values.set(readTensor(files.weights, header.dataOffset, found[i]), offset),
  );
  return { config, layout, values };
}

function findTensor(stored: ReadonlyMap<string, SafetensorsTensor>, parameter: AdapterParameter) {
  const { key, shape } = parameter;
  // Older PEFT releases saved a target's bias without `base_layer`.
  const tensor = stored.get(key) ?? stored.get(key.replace('.base_layer.bias', '.bias'));
  if (!tensor)
    throw new PeftError(
      'missing-tensor',
      `The adapter has no ${key}, which its config and this model ask for. It was made for another model, or the file is incomplete.`,
      { details: { name: key } },
    );
  if (String(tensor.shape) !== String(shape))
    throw new PeftError(
      'wrong-model',
      `The adapter was made for another model: ${key} has shape [${tensor.shape}], this model needs [${shape}].`,
      { details: { name: key, found: String(tensor.shape), allowed: String(shape) } },
    );
  return tensor;
}

function readTensor(file: Uint8Array, dataOffset: number, tensor: SafetensorsTensor) {
  const { name, dtype, begin, end } = tensor;
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16')
    throw new PeftError(
      'wrong-model',
      `${name} is stored as ${dtype}; adapters are F32, F16 or BF16.`,
      { details: { name, found: dtype } },
    );
  const values = tensorToFloat32(file.subarray(dataOffset + begin, dataOffset + end), dtype);
  const bad = findNonFinite(values);
  if (bad >= 0)
    throw new PeftError(
      'not-finite',
      `${name} holds ${values[bad]} at element ${bad}: the adapter is damaged or its training diverged.`,
      { details: { name, index: bad } },
    );
  return values;
}
