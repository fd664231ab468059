/** `adapter_config.json` as PEFT 0.21 writes it. */
import type { ModuleNames, PeftConfig } from '../config';
import type { AdaptedModel } from './adapter-layout';

/** The PEFT release whose format this is. */
const PEFT_VERSION = '0.21.0';

export function writeAdapterConfig(
  config: PeftConfig,
  model: AdaptedModel,
  baseModelName: string,
): string {
  const all = {
    base_model_name_or_path: baseModelName,
    inference_mode: true,
    peft_type: config.peft_type,
    peft_version: PEFT_VERSION,
    revision: null,
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
