/** Models for the scenarios: the reference checkpoints, the bundled one, and one of random weights. */
import {
  parseJsonObject,
  readLoraConfig,
  parseModelConfig,
  readModelConfig,
  loraScale,
  type JsonObject,
  type ModelConfig,
} from '../../../src/lib/config';
import { Xoshiro128 } from '../../../src/lib/config/random';
import {
  parseSafetensorsHeader,
  tensorToFloat32,
  type SafetensorsDtype,
} from '../../../src/lib/formats';
import { loadTokenizer, type Tokenizer } from '../../../src/lib/text';

export interface Floats {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface TestModel {
  readonly config: ModelConfig;
  readonly rawConfig: JsonObject;
  readonly generationConfig: JsonObject;
  readonly tokenizer: Tokenizer;
  readonly weights: ReadonlyMap<string, Floats>;
}

export interface TestAdapter {
  /** Paths. */
  readonly targets: ReadonlySet<string>;
  readonly scale: number;
  readonly factors: ReadonlyMap<string, Floats>;
  readonly biases: ReadonlyMap<string, Floats>;
}

/** A file of the repository. */
export async function repositoryBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(`/repository/${path}`);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** A text file of the repository. */
export const repositoryText = async (path: string) =>
  new TextDecoder().decode(await repositoryBytes(path));
const text = repositoryText;

export interface Tensors {
  readonly floats: Map<string, Floats>;
  readonly ints: Map<string, { shape: readonly number[]; data: Int32Array }>;
}

export async function readTensors(path: string): Promise<Tensors> {
  const file = await repositoryBytes(path);
  const source = { fileName: path, fileSizeBytes: file.byteLength };
  const { tensors, dataOffset } = parseSafetensorsHeader(file, source);
  const result: Tensors = { floats: new Map(), ints: new Map() };
  const isFloat = (dtype: SafetensorsDtype) =>
    dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
  for (const { name, dtype, shape, begin, end } of tensors) {
    const part = file.slice(dataOffset + begin, dataOffset + end);
    if (isFloat(dtype))
      result.floats.set(name, { shape, data: tensorToFloat32(part, dtype as 'F32') });
    else if (dtype === 'I32') result.ints.set(name, { shape, data: new Int32Array(part.buffer) });
  }
  return result;
}

const golden = (name: string) => `tests/reference/goldens/models/${name}`;

export async function openGolden(name: string): Promise<TestModel> {
  const configText = await text(`${golden(name)}/config.json`);
  const config = parseModelConfig(configText);
  return {
    config,
    rawConfig: parseJsonObject(configText, 'config.json'),
    generationConfig: parseJsonObject(
      await text(`${golden(name)}/generation_config.json`),
      'generation_config.json',
    ),
    tokenizer: numberTokenizer(config.vocabSize),
    weights: (await readTensors(`${golden(name)}/model.safetensors`)).floats,
  };
}

/** Rows without their padding, and the logits that PyTorch gives for them. */
export async function goldenRows(name: string) {
  const { floats, ints } = await readTensors(`${golden(name)}/forward.safetensors`);
  const ids = ints.get('input_ids')!;
  const mask = ints.get('attention_mask')!;
  const [rows, width] = ids.shape;
  const vocab = floats.get('logits')!.shape[2];
  return Array.from({ length: rows }, (_, row) => {
    const length = mask.data.subarray(row * width, (row + 1) * width).reduce((a, b) => a + b, 0);
    const cut = (key: string) =>
      floats.get(key)!.data.subarray(row * width * vocab, (row * width + length) * vocab);
    return {
      ids: Array.from(ids.data.subarray(row * width, row * width + length)),
      logits: cut('logits'),
      adapterLogits: cut('adapter_logits'),
    };
  });
}

/** PEFT's names of trained biases end in `.bias` or `.base_layer.bias`. */
export async function openGoldenAdapter(name: string): Promise<TestAdapter> {
  const folder = `${golden(name)}/adapter`;
  const raw = parseJsonObject(await text(`${folder}/adapter_config.json`), 'adapter_config.json');
  const config = readLoraConfig(raw, folder);
  const { floats } = await readTensors(`${folder}/adapter_model.safetensors`);
  const targets = new Set(
    [...floats.keys()].flatMap((key) => /^base_model\.model\.(.*)\.lora_A/.exec(key)?.[1] ?? []),
  );
  const factors = new Map<string, Floats>();
  const biases = new Map<string, Floats>();
  for (const [key, value] of floats)
    if (!key.endsWith('.bias')) factors.set(key, value);
    else biases.set(key.replace('base_model.model.', '').replace('.base_layer', ''), value);
  return { targets, scale: loraScale(config), factors, biases };
}

/** The bundled model. */
export async function openNano(): Promise<TestModel> {
  const folder = 'models/nano-lm';
  const configText = await text(`${folder}/config.json`);
  return {
    config: parseModelConfig(configText),
    rawConfig: parseJsonObject(configText, 'config.json'),
    generationConfig: parseJsonObject(
      await text(`${folder}/generation_config.json`),
      'generation_config.json',
    ),
    tokenizer: loadTokenizer({
      tokenizerJson: await text(`${folder}/tokenizer.json`),
      tokenizerConfig: JSON.parse(await text(`${folder}/tokenizer_config.json`)) as unknown,
    }),
    weights: (await readTensors(`${folder}/model.safetensors`)).floats,
  };
}

/** As large as the bundled model, of random weights. */
export function randomNano(): TestModel {
  const rawConfig = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: 5120,
    hidden_size: 256,
    intermediate_size: 512,
    num_hidden_layers: 5,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 32,
    max_position_embeddings: 1024,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: true,
    rope_theta: 10000,
  };
  const config = readModelConfig(rawConfig);
  const random = new Xoshiro128(7);
  const weights = new Map<string, Floats>();
  const add = (name: string, ...shape: number[]) => {
    const isNorm = shape.length === 1;
    const spread = isNorm ? 0 : 2 * Math.sqrt(3 / shape[1]);
    const count = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: count }, () =>
      isNorm ? 1 : (random.nextUnit() - 0.5) * spread,
    );
    weights.set(name, { shape, data });
  };
  add('model.embed_tokens.weight', 5120, 256);
  for (let layer = 0; layer < 5; layer++) {
    const path = `model.layers.${layer}`;
    add(`${path}.self_attn.q_proj.weight`, 256, 256);
    add(`${path}.self_attn.k_proj.weight`, 128, 256);
    add(`${path}.self_attn.v_proj.weight`, 128, 256);
    add(`${path}.self_attn.o_proj.weight`, 256, 256);
    add(`${path}.mlp.gate_proj.weight`, 512, 256);
    add(`${path}.mlp.up_proj.weight`, 512, 256);
    add(`${path}.mlp.down_proj.weight`, 256, 512);
    add(`${path}.input_layernorm.weight`, 256);
    add(`${path}.post_attention_layernorm.weight`, 256);
  }
  add('model.norm.weight', 256);
  return { config, rawConfig, generationConfig: {}, tokenizer: numberTokenizer(5120), weights };
}

/** Token 17 is written `<17>`: the reference checkpoints come without a tokenizer. */
function numberTokenizer(vocabSize: number): Tokenizer {
  return {
    encode: (value) => Array.from(value.matchAll(/<(\d+)>/g), ([, id]) => Number(id)),
    decode: (ids) => Array.from(ids, (id) => `<${id}>`).join(''),
    vocabSize,
    bosId: undefined,
    eosId: undefined,
    padId: undefined,
    unkId: undefined,
    chatTemplate: undefined,
    specialTokens: {},
    tokenId: () => undefined,
    isSpecial: () => false,
  };
}
