/** `adapter_config.json` as PEFT 0.21 reads and writes it, for the methods that Inkstone trains. */
import { ConfigError } from './errors';
import { describe, Fields, parseJsonObject, type JsonObject } from './fields';

export const LORA_BIASES = ['none', 'all', 'lora_only'] as const;
export type LoraBias = (typeof LORA_BIASES)[number];

/** Names of the linear layers of every supported decoder block, in the order of its forward pass. */
export const LINEAR_MODULES = [
  'q_proj',
  'k_proj',
  'v_proj',
  'o_proj',
  'gate_proj',
  'up_proj',
  'down_proj',
] as const;
export type LinearModule = (typeof LINEAR_MODULES)[number];

/** Field names and defaults are PEFT's `LoraConfig`. */
export interface LoraConfig {
  r: number;
  lora_alpha: number;
  lora_dropout: number;
  target_modules: readonly LinearModule[];
  bias: LoraBias;
  use_rslora: boolean;
}

/** PEFT's own defaults; what the page offers is `COMMON_RECIPE` in training-arguments.ts. */
export const DEFAULT_LORA_CONFIG: LoraConfig = {
  r: 8,
  lora_alpha: 8,
  lora_dropout: 0,
  target_modules: ['q_proj', 'v_proj'],
  bias: 'none',
  use_rslora: false,
};

/** lora_alpha / r, or lora_alpha / sqrt(r) with rank-stabilised LoRA (arXiv 2312.03732). */
export function loraScale(config: Pick<LoraConfig, 'r' | 'lora_alpha' | 'use_rslora'>): number {
  return config.lora_alpha / (config.use_rslora ? Math.sqrt(config.r) : config.r);
}

export function parseLoraConfig(text: string, fileName = 'adapter_config.json'): LoraConfig {
  return readLoraConfig(parseJsonObject(text, fileName), fileName);
}

/**
 * Reads PEFT's names out of an adapter's config or a flat training config.
 * @throws ConfigError for a method, rank or module that is not supported, by name
 */
export function readLoraConfig(object: JsonObject, fileName: string): LoraConfig {
  const fields = new Fields(object, fileName);
  const method = fields.text('peft_type', 'LORA');
  if (method !== 'LORA') throw fields.unsupported('peft_type', method, 'LORA');
  for (const option of ['use_dora', 'use_qalora', 'fan_in_fan_out', 'lora_bias'])
    if (fields.boolean(option, false)) throw fields.unsupported(option, true, 'false');
  for (const option of ['rank_pattern', 'alpha_pattern'])
    if (Object.keys(fields.nested(option)?.object ?? {}).length > 0)
      throw fields.unsupported(option, object[option], 'an empty object');
  for (const option of ['modules_to_save', 'layers_to_transform', 'target_parameters'])
    if (fields.has(option) && (object[option] as unknown[]).length !== 0)
      throw fields.unsupported(option, object[option], 'null');
  const defaults = DEFAULT_LORA_CONFIG;
  return {
    r: fields.integer('r', defaults.r, { min: 1, max: 1024 }),
    lora_alpha: fields.number('lora_alpha', defaults.lora_alpha, { min: 0, max: 1e9, open: true }),
    lora_dropout: fields.number('lora_dropout', defaults.lora_dropout, { min: 0, max: 0.99 }),
    target_modules: readTargets(fields),
    bias: fields.oneOf('bias', LORA_BIASES, defaults.bias),
    use_rslora: fields.boolean('use_rslora', defaults.use_rslora),
  };
}

function readTargets(fields: Fields): LinearModule[] {
  const value = fields.object.target_modules ?? DEFAULT_LORA_CONFIG.target_modules;
  if (value === 'all-linear') return [...LINEAR_MODULES];
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || list.length === 0)
    throw fields.wrong(
      'target_modules',
      value,
      `all-linear or a list out of ${LINEAR_MODULES.join(', ')}`,
    );
  // PEFT writes `all-linear` out as full paths; which layers they name, the adapter's keys tell.
  const names = (list as unknown[]).map((name) =>
    typeof name === 'string'
      ? name.replace(/^model\.layers\.\d+\.(self_attn|mlp)\./, '')
      : describe(name),
  );
  for (const name of names)
    if (!LINEAR_MODULES.some((module) => module === name))
      throw new ConfigError(
        'unsupported-option',
        `${fields.fileName}: target_modules names ${describe(name)}; allowed are all-linear or a list out of ${LINEAR_MODULES.join(', ')}.`,
        { details: { field: 'target_modules', found: describe(name) } },
      );
  return LINEAR_MODULES.filter((name) => names.includes(name));
}
