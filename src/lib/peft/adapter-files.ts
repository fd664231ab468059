/** PEFT's two files: `adapter_config.json` and `adapter_model.safetensors`, read with distrust and written in full. */
import { parseLoraConfig, type LoraConfig } from '../config';
import {
  findNonFinite,
  parseSafetensorsHeader,
  serializeSafetensors,
  tensorToFloat32,
  type SafetensorsTensor,
} from '../formats';
import { PeftError } from './errors';
import { layoutLora, type LinearLayer, type LoraLayout, type LoraParameter } from './lora-layout';

export const ADAPTER_CONFIG_FILE = 'adapter_config.json';
export const ADAPTER_WEIGHTS_FILE = 'adapter_model.safetensors';

/** The PEFT release whose format this is. */
const PEFT_VERSION = '0.21.0';

export interface AdapterFiles {
  readonly configJson: string;
  readonly weights: Uint8Array;
}

export interface LoadedAdapter {
  readonly config: LoraConfig;
  readonly layout: LoraLayout;
  /** Content of the flat parameter buffer. */
  readonly values: Float32Array;
}

export function writeAdapter(
  config: LoraConfig,
  layout: LoraLayout,
  values: Float32Array,
  baseModelName: string,
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
  return { configJson: writeAdapterConfig(config, baseModelName), weights };
}

function writeAdapterConfig(config: LoraConfig, baseModelName: string): string {
  const all = {
    base_model_name_or_path: baseModelName,
    bias: config.bias,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: config.lora_alpha,
    lora_dropout: config.lora_dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    peft_version: PEFT_VERSION,
    r: config.r,
    rank_pattern: {},
    alpha_pattern: {},
    revision: null,
    target_modules: [...config.target_modules].sort(),
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: config.use_rslora,
  };
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, undefined, 2)}\n`;
}

/**
 * @param layers linear layers of the model that the adapter is to be used on
 * @throws PeftError `wrong-model`, `missing-tensor`, `not-finite`; ConfigError; FormatError
 */
export function readAdapter(files: AdapterFiles, layers: readonly LinearLayer[]): LoadedAdapter {
  const config = parseLoraConfig(files.configJson, ADAPTER_CONFIG_FILE);
  const layout = layoutLora(layers, config);
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

function findTensor(stored: ReadonlyMap<string, SafetensorsTensor>, parameter: LoraParameter) {
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
