/** `adapter_config.json` as PEFT 0.21 writes it, and as it stands beside weights. */
import { parseJsonObject, readPeftConfig, type ModuleNames, type PeftConfig } from '../config';
import type { AdaptedModel } from './adapter-layout';
import { PeftError } from './errors';

export const ADAPTER_CONFIG_FILE = 'adapter_config.json';

/** The PEFT release whose format this is. */
export const PEFT_VERSION = '0.21.0';

/**
 * Of LoRA, what leaves the base's weights alone (peft/tuners/lora/layer.py:288 and variants.py:1266): where A and B are
 * given, nothing is left of it. At false they begin at random. EVA's ranks and alphas are in the patterns.
 */
const PLAIN_STARTS: readonly unknown[] = [false, 'gaussian', 'orthogonal', 'eva', 'mica'];

/** What takes its start out of the base, and LoftQ, which rounds the base to few bits (layer.py:384 to 730). */
const CHANGES_BASE = /^(pissa|olora|corda|lora_ga|loftq)/;

export interface ReadAdapterOptions {
  /** Takes factors that belong to a base with their start taken out; the caller knows that start. */
  readonly allowChangedBase?: boolean;
}

/**
 * Of an adapter whose weights are given.
 * @throws PeftError `changed-base`; ConfigError
 */
export function readAdapterConfig(
  text: string,
  { allowChangedBase = false }: ReadAdapterOptions = {},
): PeftConfig {
  const object = parseJsonObject(text, ADAPTER_CONFIG_FILE);
  const { init_lora_weights: written, peft_type } = object;
  if ((peft_type ?? 'LORA') !== 'LORA') return readPeftConfig(object, ADAPTER_CONFIG_FILE);
  const start = typeof written === 'string' ? written.toLowerCase() : written;
  if (PLAIN_STARTS.includes(start))
    return readPeftConfig({ ...object, init_lora_weights: true }, ADAPTER_CONFIG_FILE);
  if (!allowChangedBase && typeof start === 'string' && CHANGES_BASE.test(start))
    throw changedBase(start);
  return readPeftConfig(object, ADAPTER_CONFIG_FILE);
}

function changedBase(start: string): PeftError {
  const nextStep = start.startsWith('loftq')
    ? 'Merge it into that base, and bring the merged model'
    : 'Save it again with path_initial_model_for_weight_conversion, which makes a plain LoRA of it';
  const base = start.startsWith('loftq') ? 'rounded to few bits' : 'with its start taken out';
  const found = start.slice(0, 40);
  return new PeftError(
    'changed-base',
    `The adapter was saved with init_lora_weights ${found}, so it fits only a base ${base}. ${nextStep}.`,
    { details: { found } },
  );
}

/** What an adapter says of its base: what `from_pretrained` finds it by, and there the commit. */
export interface BaseModel {
  readonly nameOrPath: string;
  /** PEFT gives it to the base, never to the adapter (peft/auto.py:115, :156). */
  readonly revision?: string;
}

const fieldsOfBase = ({ nameOrPath, revision }: BaseModel) => ({
  base_model_name_or_path: nameOrPath,
  revision: revision ?? null,
});

/** The same config, for another base. */
export function withBaseModel(configJson: string, base: BaseModel): string {
  const object = parseJsonObject(configJson, ADAPTER_CONFIG_FILE);
  return `${JSON.stringify({ ...object, ...fieldsOfBase(base) }, undefined, 2)}\n`;
}

export function writeAdapterConfig(
  config: PeftConfig,
  model: AdaptedModel,
  base: BaseModel,
): string {
  const all = {
    ...fieldsOfBase(base),
    inference_mode: true,
    peft_type: config.peft_type,
    peft_version: PEFT_VERSION,
    task_type: 'CAUSAL_LM',
    ...fieldsOf(config, model),
  };
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, undefined, 2)}\n`;
}

const namesOf = (names: ModuleNames | undefined) =>
  typeof names === 'string' ? names : names ? [...names].sort() : null;

function fieldsOf(config: PeftConfig, model: AdaptedModel): Record<string, unknown> {
  switch (config.peft_type) {
    case 'LORA':
      return {
        bias: config.bias,
        fan_in_fan_out: false,
        init_lora_weights: config.init_lora_weights,
        exclude_modules: namesOf(config.exclude_modules),
        layers_pattern: config.layers_pattern ?? null,
        layers_to_transform: config.layers_to_transform ?? null,
        lora_alpha: config.lora_alpha,
        lora_dropout: config.lora_dropout,
        modules_to_save: null,
        r: config.r,
        rank_pattern: config.rank_pattern ?? {},
        alpha_pattern: config.alpha_pattern ?? {},
        target_modules: namesOf(config.target_modules),
        use_dora: config.use_dora,
        use_rslora: config.use_rslora,
      };
    case 'IA3':
      return {
        exclude_modules: namesOf(config.exclude_modules),
        fan_in_fan_out: false,
        feedforward_modules: namesOf(config.feedforward_modules),
        init_ia3_weights: true,
        modules_to_save: null,
        target_modules: namesOf(config.target_modules),
      };
    case 'PREFIX_TUNING':
      // PEFT describes a grouped-query model by its key heads.
      return {
        encoder_hidden_size: model.keyValueWidth,
        num_attention_heads: model.keyHeads,
        num_layers: model.layerCount,
        num_transformer_submodules: 1,
        num_virtual_tokens: config.num_virtual_tokens,
        prefix_projection: false,
        token_dim: model.keyValueWidth,
      };
    case 'FULL':
      return {};
  }
}
