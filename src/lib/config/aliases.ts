/**
 * Names that recipes of LLaMA-Factory, Unsloth and axolotl, and of older versions of TRL and transformers, have for
 * exactly what another name says here. That other name counts where both are given.
 */
import {
  accumulationOf,
  alphaOfRank,
  bitsOfAdapter,
  evalStepsOf,
  evalStrategyOf,
  fourBits,
  linearAlone,
  linearAndNamed,
  methodOfAdapter,
  methodOfFinetuningType,
  not,
  pissaInit,
  saveStepsOf,
  splitTargets,
  strategyOf,
  unlessFalse,
  withoutOffload,
} from './alias-values';
import type { JsonObject, Needed } from './fields';

interface Alias {
  readonly name: string;
  /** The value as the setting itself has it, null included; undefined where it says nothing on this setting. */
  readonly toOwn?: (value: unknown, settings: JsonObject) => unknown;
  /** What may stand under this name, for sentences, where that is not what may stand under our own. */
  readonly allowed?: string;
  /** The same for other languages, where it is a kind of value. */
  readonly needs?: Needed;
}

/** A setting's own name -> its aliases, the one that counts before the others first; itself among them to be read otherwise. */
export type Aliases = ReadonlyMap<string, readonly Alias[]>;

export const NO_ALIASES: Aliases = new Map();

const A_COUNT = { allowed: 'a whole number from 0', needs: 'whole' } as const;

export const RECIPE_ALIASES: Aliases = new Map<string, readonly Alias[]>([
  // The method.
  [
    'peft_type',
    [
      { name: 'finetuning_type', toOwn: methodOfFinetuningType, allowed: 'lora, full' },
      { name: 'adapter', toOwn: methodOfAdapter, allowed: 'lora, qlora, null' },
    ],
  ],
  ['r', [{ name: 'lora_rank' }, { name: 'lora_r' }]],
  ['lora_alpha', [{ name: 'lora_alpha', toOwn: alphaOfRank }]],
  [
    'target_modules',
    [
      { name: 'lora_target', toOwn: splitTargets },
      { name: 'lora_target_modules', toOwn: linearAndNamed },
      { name: 'lora_target_linear', toOwn: linearAlone },
    ],
  ],
  ['use_dora', [{ name: 'peft_use_dora' }]],
  ['use_rslora', [{ name: 'peft_use_rslora' }]],
  [
    'init_lora_weights',
    [
      { name: 'pissa_init', toOwn: pissaInit },
      { name: 'peft_init_lora_weights', toOwn: unlessFalse },
    ],
  ],
  ['layers_to_transform', [{ name: 'peft_layers_to_transform' }]],
  ['layers_pattern', [{ name: 'peft_layers_pattern' }]],
  ['layer_replication', [{ name: 'peft_layer_replication' }]],
  ['trainable_token_indices', [{ name: 'peft_trainable_token_indices' }]],
  ['target_parameters', [{ name: 'lora_target_parameters' }]],
  ['modules_to_save', [{ name: 'additional_target' }, { name: 'lora_modules_to_save' }]],
  ['fan_in_fan_out', [{ name: 'lora_fan_in_fan_out' }]],
  // The model in 4 bits.
  [
    'load_in_4bit',
    [
      { name: 'quantization_bit', toOwn: fourBits },
      { name: 'adapter', toOwn: bitsOfAdapter },
    ],
  ],
  ['bnb_4bit_quant_type', [{ name: 'quantization_type' }]],
  ['bnb_4bit_use_double_quant', [{ name: 'double_quantization' }]],
  // The training.
  ['max_length', [{ name: 'max_seq_length' }, { name: 'cutoff_len' }, { name: 'sequence_len' }]],
  [
    'per_device_train_batch_size',
    [{ name: 'per_gpu_train_batch_size' }, { name: 'micro_batch_size' }],
  ],
  [
    'per_device_eval_batch_size',
    [{ name: 'per_gpu_eval_batch_size' }, { name: 'eval_batch_size' }],
  ],
  ['gradient_accumulation_steps', [{ name: 'batch_size', toOwn: accumulationOf }]],
  [
    'gradient_checkpointing',
    [
      { name: 'gradient_checkpointing', toOwn: withoutOffload },
      { name: 'disable_gradient_checkpointing', toOwn: not },
    ],
  ],
  ['num_train_epochs', [{ name: 'num_epochs' }]],
  ['optim', [{ name: 'optimizer' }]],
  ['lr_scheduler_type', [{ name: 'lr_scheduler' }]],
  ['packing', [{ name: 'neat_packing', toOwn: unlessFalse }, { name: 'sample_packing' }]],
  [
    'shuffle',
    [
      { name: 'disable_shuffling', toOwn: not },
      { name: 'curriculum_sampling', toOwn: not },
    ],
  ],
  ['train_on_prompt', [{ name: 'train_on_inputs' }]],
  // Evaluations and checkpoints.
  ['eval_strategy', [{ name: 'evals_per_epoch', toOwn: evalStrategyOf, ...A_COUNT }]],
  ['eval_steps', [{ name: 'evals_per_epoch', toOwn: evalStepsOf }]],
  ['save_strategy', [{ name: 'saves_per_epoch', toOwn: strategyOf, ...A_COUNT }]],
  ['save_steps', [{ name: 'saves_per_epoch', toOwn: saveStepsOf }]],
  ['early_stopping_patience', [{ name: 'early_stopping_steps' }]],
]);

/** The settings that a name can stand for besides itself. */
export const ownNamesOf = (name: string): string[] =>
  [...RECIPE_ALIASES].flatMap(([own, aliases]) =>
    own !== name && aliases.some((alias) => alias.name === name) ? [own] : [],
  );

const same = (value: unknown) => value;

export interface Spelling extends Omit<Alias, 'toOwn'> {
  /** As the setting's own name would have it. */
  readonly value: unknown;
}

/** All that the object says on a setting, what counts first; nothing where it is left out or null. */
export function spellingsOf(
  object: JsonObject,
  name: string,
  aliases: Aliases = RECIPE_ALIASES,
): Spelling[] {
  const others = aliases.get(name) ?? [];
  const all = others.some((alias) => alias.name === name) ? others : [{ name }, ...others];
  return all
    .filter((alias) => Object.hasOwn(object, alias.name))
    .map(({ toOwn = same, ...alias }: Alias) => ({
      ...alias,
      value: toOwn(object[alias.name], object),
    }))
    .filter(({ value }) => value !== undefined && value !== null);
}
