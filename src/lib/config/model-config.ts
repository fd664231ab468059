/**
 * `config.json` of the decoders that Inkstone trains, read in the old spelling (`rope_theta`,
 * `rope_scaling`) and in that of transformers 5 (`rope_parameters`). Field meanings:
 * transformers `models/{llama,mistral,qwen2,qwen3}/configuration_*.py`.
 */
import { ConfigError } from './errors';
import { describe, Fields, parseJsonObject, type JsonObject } from './fields';

export const SUPPORTED_ARCHITECTURES = [
  'LlamaForCausalLM',
  'MistralForCausalLM',
  'Qwen2ForCausalLM',
  'Qwen3ForCausalLM',
] as const;

export type Architecture = (typeof SUPPORTED_ARCHITECTURES)[number];

/** Rotary frequencies: `default`, or Llama 3's stretched bands. */
export type RopeConfig =
  | { type: 'default'; theta: number }
  | {
      type: 'llama3';
      theta: number;
      factor: number;
      lowFreqFactor: number;
      highFreqFactor: number;
      originalMaxPositionEmbeddings: number;
    };

export interface ModelConfig {
  architecture: Architecture;
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  layerCount: number;
  headCount: number;
  kvHeadCount: number;
  headDim: number;
  maxPositionEmbeddings: number;
  rmsNormEpsilon: number;
  rope: RopeConfig;
  /** The output projection is the embedding table. */
  tieWordEmbeddings: boolean;
  /** Bias on q, k and v. */
  qkvBias: boolean;
  /** Bias on the attention output projection. */
  outputBias: boolean;
  mlpBias: boolean;
  /** RMSNorm over each head of q and k (Qwen3). */
  qkNorm: boolean;
  /** Per layer: keys visible to a query, or undefined for all before it. */
  slidingWindow: readonly (number | undefined)[];
  bosTokenId: number | undefined;
  /** One or more. */
  eosTokenIds: readonly number[];
  padTokenId: number | undefined;
}

const MAX_LAYERS = 512;
const MAX_WIDTH = 1 << 20;

/** @throws ConfigError `unsupported-architecture`, `unsupported-option`, `missing-field`, `wrong-type`, `out-of-range`, `not-json` */
export function parseModelConfig(text: string, fileName = 'config.json'): ModelConfig {
  return readModelConfig(parseJsonObject(text, fileName), fileName);
}

export function readModelConfig(object: JsonObject, fileName = 'config.json'): ModelConfig {
  const fields = new Fields(object, fileName);
  const architecture = readArchitecture(object, fileName);
  const width = { min: 1, max: MAX_WIDTH };
  const hiddenSize = fields.integer('hidden_size', undefined, width);
  const layerCount = fields.integer('num_hidden_layers', undefined, { min: 1, max: MAX_LAYERS });
  const headCount = fields.integer('num_attention_heads', undefined, { min: 1, max: 1024 });
  const kvHeadCount = fields.integer('num_key_value_heads', headCount, { min: 1, max: 1024 });
  if (headCount % kvHeadCount !== 0)
    throw fields.unsupported(
      'num_key_value_heads',
      kvHeadCount,
      `a divisor of num_attention_heads (${headCount})`,
    );
  const headDim = fields.integer('head_dim', Math.floor(hiddenSize / headCount), {
    min: 2,
    max: 512,
  });
  if (headDim % 2 !== 0) throw fields.unsupported('head_dim', headDim, 'an even number');
  const activation = fields.text('hidden_act', 'silu');
  if (activation !== 'silu') throw fields.unsupported('hidden_act', activation, 'silu');
  if (fields.has('quantization_config'))
    throw fields.unsupported(
      'quantization_config',
      object.quantization_config,
      'float32, float16 and bfloat16 weights',
    );
  const qwen2 = architecture === 'Qwen2ForCausalLM';
  const attentionBias = qwen2 || fields.boolean('attention_bias', false);
  const maxPositionEmbeddings = fields.integer('max_position_embeddings', 2048, {
    min: 1,
    max: 1 << 24,
  });
  return {
    architecture,
    vocabSize: fields.integer('vocab_size', undefined, { min: 2, max: 1 << 22 }),
    hiddenSize,
    intermediateSize: fields.integer('intermediate_size', undefined, width),
    layerCount,
    headCount,
    kvHeadCount,
    headDim,
    maxPositionEmbeddings,
    rmsNormEpsilon: fields.number('rms_norm_eps', 1e-6, { min: 0, max: 1 }),
    rope: readRope(fields, maxPositionEmbeddings),
    tieWordEmbeddings: fields.boolean('tie_word_embeddings', false),
    qkvBias: attentionBias,
    outputBias: qwen2 ? false : attentionBias,
    mlpBias: architecture === 'LlamaForCausalLM' && fields.boolean('mlp_bias', false),
    qkNorm: architecture === 'Qwen3ForCausalLM',
    slidingWindow: readSlidingWindow(fields, architecture, layerCount),
    bosTokenId: readTokenIds(fields, 'bos_token_id')[0],
    eosTokenIds: readTokenIds(fields, 'eos_token_id'),
    padTokenId: readTokenIds(fields, 'pad_token_id')[0],
  };
}

function readArchitecture(object: JsonObject, fileName: string): Architecture {
  const listed = Array.isArray(object.architectures) ? object.architectures : [];
  const named: unknown = listed[0];
  const supported = SUPPORTED_ARCHITECTURES.find((name) => name === named);
  if (supported) return supported;
  const type = object.model_type;
  const found = named ? plain(named) : type ? `model_type ${plain(type)}` : 'nothing';
  throw new ConfigError(
    'unsupported-architecture',
    `${fileName} names ${found} as its architecture; supported are ${SUPPORTED_ARCHITECTURES.join(', ')}.`,
    { details: { found, allowed: SUPPORTED_ARCHITECTURES.join(', ') } },
  );
}

/** A name without quotes; anything else as JSON. */
const plain = (value: unknown): string =>
  typeof value === 'string' ? value.slice(0, 60) : describe(value);

function readRope(fields: Fields, maxPositionEmbeddings: number): RopeConfig {
  if (fields.number('partial_rotary_factor', 1) !== 1)
    throw fields.unsupported(
      'partial_rotary_factor',
      fields.object.partial_rotary_factor,
      '1 (rotation of the whole head)',
    );
  const parameters =
    fields.nested('rope_parameters') ??
    fields.nested('rope_scaling') ??
    new Fields({}, fields.fileName);
  const theta = parameters.has('rope_theta')
    ? parameters.number('rope_theta', undefined, { min: 0, open: true })
    : fields.number('rope_theta', 10000, { min: 0, open: true });
  const type = parameters.text('rope_type', parameters.text('type', 'default'));
  if (type === 'default') return { type, theta };
  if (type !== 'llama3') throw parameters.unsupported('rope_type', type, 'default, llama3');
  return {
    type,
    theta,
    factor: parameters.number('factor', undefined, { min: 1 }),
    lowFreqFactor: parameters.number('low_freq_factor', undefined, { min: 0, open: true }),
    highFreqFactor: parameters.number('high_freq_factor', undefined, { min: 0, open: true }),
    originalMaxPositionEmbeddings: parameters.integer(
      'original_max_position_embeddings',
      maxPositionEmbeddings,
      { min: 1 },
    ),
  };
}

/** Mistral slides in every layer; Qwen slides only with `use_sliding_window`, from `max_window_layers` on. */
function readSlidingWindow(fields: Fields, architecture: Architecture, layerCount: number) {
  const size = fields.has('sliding_window')
    ? fields.integer('sliding_window', undefined, { min: 1 })
    : undefined;
  const none = new Array<number | undefined>(layerCount).fill(undefined);
  if (size === undefined || architecture === 'LlamaForCausalLM') return none;
  if (architecture === 'MistralForCausalLM') return none.fill(size);
  if (!fields.boolean('use_sliding_window', false)) return none;
  const types = fields.object.layer_types;
  if (Array.isArray(types) && types.length === layerCount)
    return types.map((type) => (type === 'sliding_attention' ? size : undefined));
  const first = fields.integer('max_window_layers', 28, { min: 0 });
  return none.map((_, layer) => (layer >= first ? size : undefined));
}

function readTokenIds(fields: Fields, name: string): number[] {
  const value = fields.object[name];
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? value : [value];
  for (const id of list)
    if (!Number.isSafeInteger(id) || (id as number) < 0)
      throw fields.wrong(name, value, 'a token id or a list of them');
  return list as number[];
}
