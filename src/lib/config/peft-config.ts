/**
 * `adapter_config.json` as PEFT 0.21 reads and writes it: which method tunes a model, and its options.
 * Full fine-tuning is no method of PEFT; it stands here as one more choice, with a name of our own.
 */
import { RECIPE_ALIASES } from './aliases';
import { Fields, parseJsonObject, type JsonObject } from './fields';
import { moduleList, readExcluded, readTargets, type ModuleNames } from './layer-options';
import type { LinearModule } from './linear-modules';
import { DEFAULT_LORA_CONFIG, readLoraConfig, type LoraConfig } from './lora-config';
import { refuseLayerChoice, refuseUnsupportedPeft } from './unsupported-peft';

/** Learned factors on keys, values and the feed-forward's inner activations (arXiv 2205.05638). */
export interface Ia3Config {
  peft_type: 'IA3';
  target_modules: ModuleNames;
  /** Those of the targets whose input is scaled; the others have their output scaled. */
  feedforward_modules: ModuleNames;
  /** Absent where none is. */
  exclude_modules?: ModuleNames;
}

/** Learned keys and values before every sequence, in each layer (arXiv 2101.00190). */
export interface PrefixTuningConfig {
  peft_type: 'PREFIX_TUNING';
  num_virtual_tokens: number;
}

/** Every parameter of the model is trained. */
export interface FullTuningConfig {
  peft_type: 'FULL';
}

export type PeftConfig = LoraConfig | Ia3Config | PrefixTuningConfig | FullTuningConfig;
export type PeftType = PeftConfig['peft_type'];

export const PEFT_TYPES: readonly PeftType[] = ['LORA', 'IA3', 'PREFIX_TUNING', 'FULL'];

/** PEFT's own mapping for Llama and Mistral; for Qwen it names q_proj where this has k_proj. */
export const DEFAULT_IA3_CONFIG = {
  peft_type: 'IA3',
  target_modules: ['k_proj', 'v_proj', 'down_proj'] as readonly LinearModule[],
  feedforward_modules: ['down_proj'] as readonly LinearModule[],
} satisfies Ia3Config;

export const DEFAULT_PREFIX_CONFIG: PrefixTuningConfig = {
  peft_type: 'PREFIX_TUNING',
  num_virtual_tokens: 20,
};

export const FULL_TUNING: FullTuningConfig = { peft_type: 'FULL' };

export function defaultPeftConfig(type: PeftType): PeftConfig {
  switch (type) {
    case 'LORA':
      return DEFAULT_LORA_CONFIG;
    case 'IA3':
      return DEFAULT_IA3_CONFIG;
    case 'PREFIX_TUNING':
      return DEFAULT_PREFIX_CONFIG;
    case 'FULL':
      return FULL_TUNING;
  }
}

export function parsePeftConfig(text: string, fileName = 'adapter_config.json'): PeftConfig {
  return readPeftConfig(parseJsonObject(text, fileName), fileName);
}

/**
 * Reads PEFT's names out of an adapter's config or a flat training config; LoRA where none is named.
 * @param namesRead collects the names that the method knows
 * @throws ConfigError for a method, option or module that is not supported, by name
 */
export function readPeftConfig(
  object: JsonObject,
  fileName: string,
  namesRead?: Set<string>,
): PeftConfig {
  const fields = new Fields(object, fileName, namesRead, RECIPE_ALIASES);
  const type = fields.text('peft_type', 'LORA');
  refuseUnsupportedPeft(fields);
  switch (type) {
    case 'LORA':
      return readLoraConfig(object, fileName, namesRead);
    case 'IA3':
      refuseLayerChoice(fields, type, BY_LAYER);
      return readIa3Config(fields);
    case 'PREFIX_TUNING':
      refuseLayerChoice(fields, type, [...BY_LAYER, 'exclude_modules']);
      return readPrefixConfig(fields);
    case 'FULL':
      refuseLayerChoice(fields, type, [...BY_LAYER, 'exclude_modules']);
      return FULL_TUNING;
    default:
      throw fields.unsupported('peft_type', type, PEFT_TYPES.join(', '));
  }
}

/** Of LoRA alone. */
const BY_LAYER = ['layers_to_transform', 'layers_pattern'];

function readIa3Config(fields: Fields): Ia3Config {
  if (fields.boolean('fan_in_fan_out', false))
    throw fields.unsupported('fan_in_fan_out', true, 'false');
  const { target_modules, feedforward_modules } = DEFAULT_IA3_CONFIG;
  const targets = readTargets(fields, 'target_modules', target_modules);
  const inner = isEmptyList(fields.value('feedforward_modules'))
    ? []
    : readTargets(fields, 'feedforward_modules', feedforward_modules);
  const excluded = readExcluded(fields);
  return {
    peft_type: 'IA3',
    target_modules: targets,
    feedforward_modules: fields.has('feedforward_modules')
      ? requireSubset(fields, inner, targets)
      : presentOf(inner, targets),
    ...(excluded && { exclude_modules: excluded }),
  };
}

/** As PEFT does, which compares lists alone. */
function requireSubset(fields: Fields, inner: ModuleNames, targets: ModuleNames): ModuleNames {
  if (typeof inner === 'string' || typeof targets === 'string') return inner;
  if (inner.every((module) => targets.includes(module))) return inner;
  const allowed = targets.join(', ');
  throw fields.wrong('feedforward_modules', inner, `a subset of target_modules (${allowed})`, {
    allowed,
  });
}

/** PEFT's own, which nobody has asked for: without those that are no target, where that can be told. */
function presentOf(inner: ModuleNames, targets: ModuleNames): ModuleNames {
  const modules = moduleList(targets);
  return modules && typeof inner !== 'string'
    ? inner.filter((name) => modules.some((module) => module === name))
    : inner;
}

const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0;

function readPrefixConfig(fields: Fields): PrefixTuningConfig {
  if (fields.boolean('prefix_projection', false))
    throw fields.unsupported('prefix_projection', true, 'false');
  const { num_virtual_tokens } = DEFAULT_PREFIX_CONFIG;
  return {
    peft_type: 'PREFIX_TUNING',
    num_virtual_tokens: fields.integer('num_virtual_tokens', num_virtual_tokens, {
      min: 1,
      max: 4096,
    }),
  };
}
