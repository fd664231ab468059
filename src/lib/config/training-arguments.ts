/** The part of transformers' `TrainingArguments` that Inkstone honours, with its names and defaults. */
import { RECIPE_ALIASES } from './aliases';
import {
  DEFAULT_EVALUATION_ARGUMENTS,
  readEvaluationArguments,
  type EvaluationArguments,
} from './evaluation-arguments';
import { Fields, type JsonObject } from './fields';
import { DEFAULT_LORA_CONFIG, type LoraConfig } from './lora-config';
import {
  LR_SCHEDULER_TYPES,
  readLrSchedulerKwargs,
  type LrSchedulerKwargs,
  type LrSchedulerType,
} from './lr-schedules';
import { readOptimizer, type OptimizerName } from './optimizers';

export interface TrainingArguments extends EvaluationArguments {
  learning_rate: number;
  per_device_train_batch_size: number;
  gradient_accumulation_steps: number;
  num_train_epochs: number;
  /** Optimiser steps in all; at or below 0 the epochs decide. */
  max_steps: number;
  lr_scheduler_type: LrSchedulerType;
  /** What the schedule takes beside warm-up; its defaults at null. */
  lr_scheduler_kwargs: LrSchedulerKwargs | null;
  warmup_steps: number;
  /** Share of all steps; counts only when `warmup_steps` is 0. */
  warmup_ratio: number;
  optim: OptimizerName;
  weight_decay: number;
  adam_beta1: number;
  adam_beta2: number;
  adam_epsilon: number;
  /** LoRA+ (arXiv 2402.12354): B learns at so many times the rate; 1 is plain LoRA. PEFT's name. */
  loraplus_lr_ratio: number;
  /** At or below 0 the norm is measured but nothing is clipped. */
  max_grad_norm: number;
  /** Share of each target that is spread over the whole vocabulary; evaluations smooth too. */
  label_smoothing_factor: number;
  /** Strength of uniform noise on the embeddings while training (NEFTune, 5 is usual); none at null. */
  neftune_noise_alpha: number | null;
  /** Layers are computed again in backward instead of kept: less memory, about a third more time. */
  gradient_checkpointing: boolean;
  /**
   * Products with the model's weights round their operands to 16 bits; sums, gradients and the adapter stay in 32.
   * Faster on many graphics cards; needs `shader-f16`.
   */
  fp16: boolean;
  seed: number;
  /** False keeps the rows in the order of the file. */
  shuffle: boolean;
  /** Rows of like length share a step: less padding, a little less chance. */
  group_by_length: boolean;
  /** Short rows are put together, up to `max_length` tokens; TRL's name, and its strategy `bfd`. */
  packing: boolean;
  /**
   * QLoRA (arXiv 2305.14314): the linear layers of the frozen base in NF4 with double quantisation.
   * BitsAndBytesConfig's name; its `bnb_4bit_quant_type` is nf4 and `bnb_4bit_use_double_quant` true here.
   */
  load_in_4bit: boolean;
  /** Tokens a row may have; the rest is cut off, or learned as further rows by `split_long_text`. */
  max_length: number;
  /** Loss on the prompt's tokens too. */
  train_on_prompt: boolean;
  /**
   * A text without a prompt that is longer than `max_length` becomes several rows, in which each of its tokens is
   * learned once. Other rows are never split.
   */
  split_long_text: boolean;
}

/** transformers' defaults, plus TRL's `max_length` and `packing`, and Inkstone's own `shuffle`, `train_on_prompt` and `split_long_text`. */
export const DEFAULT_TRAINING_ARGUMENTS: TrainingArguments = {
  ...DEFAULT_EVALUATION_ARGUMENTS,
  learning_rate: 5e-5,
  per_device_train_batch_size: 8,
  gradient_accumulation_steps: 1,
  num_train_epochs: 3,
  max_steps: -1,
  lr_scheduler_type: 'linear',
  lr_scheduler_kwargs: null,
  warmup_steps: 0,
  warmup_ratio: 0,
  optim: 'adamw_torch',
  weight_decay: 0,
  adam_beta1: 0.9,
  adam_beta2: 0.999,
  adam_epsilon: 1e-8,
  loraplus_lr_ratio: 1,
  max_grad_norm: 1,
  label_smoothing_factor: 0,
  neftune_noise_alpha: null,
  gradient_checkpointing: false,
  fp16: false,
  seed: 42,
  shuffle: true,
  group_by_length: false,
  packing: false,
  load_in_4bit: false,
  max_length: 1024,
  train_on_prompt: false,
  split_long_text: false,
};

/** What the page starts from: the recipe most people begin with. */
export const COMMON_RECIPE: { lora: LoraConfig; training: TrainingArguments } = {
  lora: { ...DEFAULT_LORA_CONFIG, r: 16, lora_alpha: 32, lora_dropout: 0.05 },
  training: {
    ...DEFAULT_TRAINING_ARGUMENTS,
    learning_rate: 2e-4,
    per_device_train_batch_size: 4,
    gradient_accumulation_steps: 4,
    num_train_epochs: 3,
    max_length: 512,
    logging_steps: 10,
    save_strategy: 'epoch',
    save_total_limit: 3,
  },
};

/**
 * @param namesRead collects the names that are arguments
 * @throws ConfigError naming the field, what was found and what is allowed
 */
export function readTrainingArguments(
  object: JsonObject,
  fileName: string,
  defaults: TrainingArguments = DEFAULT_TRAINING_ARGUMENTS,
  namesRead?: Set<string>,
): TrainingArguments {
  const fields = new Fields(object, fileName, namesRead, RECIPE_ALIASES);
  const whole = { min: 1, max: 1e9 };
  const beta = { min: 0, max: 0.9999999 };
  // A fraction below 1 in `warmup_steps` is a share of all steps, as transformers 5 reads it.
  const warmup = fields.number('warmup_steps', defaults.warmup_steps, { min: 0, max: 1e9 });
  const warmupIsShare = warmup > 0 && warmup < 1;
  const warmup_ratio = fields.number('warmup_ratio', defaults.warmup_ratio, { min: 0, max: 1 });
  const learning_rate = fields.number('learning_rate', defaults.learning_rate, { min: 0, max: 10 });
  const lr_scheduler_type = fields.oneOf(
    'lr_scheduler_type',
    LR_SCHEDULER_TYPES,
    defaults.lr_scheduler_type,
  );
  return {
    ...readEvaluationArguments(fields, defaults),
    learning_rate,
    per_device_train_batch_size: fields.integer(
      'per_device_train_batch_size',
      defaults.per_device_train_batch_size,
      whole,
    ),
    gradient_accumulation_steps: fields.integer(
      'gradient_accumulation_steps',
      defaults.gradient_accumulation_steps,
      whole,
    ),
    num_train_epochs: fields.number('num_train_epochs', defaults.num_train_epochs, {
      min: 0,
      max: 1e6,
      open: true,
    }),
    max_steps: fields.integer('max_steps', defaults.max_steps, { max: 1e9 }),
    lr_scheduler_type,
    lr_scheduler_kwargs: readLrSchedulerKwargs(fields, lr_scheduler_type, learning_rate),
    warmup_steps: warmupIsShare ? 0 : Math.floor(warmup),
    warmup_ratio: warmupIsShare ? warmup : warmup_ratio,
    optim: readOptimizer(fields, defaults.optim),
    weight_decay: fields.number('weight_decay', defaults.weight_decay, { min: 0, max: 10 }),
    adam_beta1: fields.number('adam_beta1', defaults.adam_beta1, beta),
    adam_beta2: fields.number('adam_beta2', defaults.adam_beta2, beta),
    adam_epsilon: fields.number('adam_epsilon', defaults.adam_epsilon, { min: 0, max: 1 }),
    loraplus_lr_ratio: fields.number('loraplus_lr_ratio', defaults.loraplus_lr_ratio, {
      min: 1,
      max: 1e4,
    }),
    max_grad_norm: fields.number('max_grad_norm', defaults.max_grad_norm, { max: 1e9 }),
    label_smoothing_factor: fields.number(
      'label_smoothing_factor',
      defaults.label_smoothing_factor,
      { min: 0, max: 1 },
    ),
    neftune_noise_alpha: fields.has('neftune_noise_alpha')
      ? fields.number('neftune_noise_alpha', undefined, { min: 0, max: 1e4 })
      : defaults.neftune_noise_alpha,
    gradient_checkpointing: fields.boolean(
      'gradient_checkpointing',
      defaults.gradient_checkpointing,
    ),
    fp16: fields.boolean('fp16', defaults.fp16),
    seed: fields.integer('seed', defaults.seed, { min: 0, max: 0xffffffff }),
    ...readSampling(fields, defaults),
    packing: fields.boolean('packing', defaults.packing),
    load_in_4bit: readFourBit(fields, defaults.load_in_4bit),
    max_length: fields.integer('max_length', defaults.max_length, { min: 2, max: 1 << 20 }),
    train_on_prompt: fields.boolean('train_on_prompt', defaults.train_on_prompt),
    split_long_text: fields.boolean('split_long_text', defaults.split_long_text),
  };
}

/** transformers 5 has `train_sampling_strategy` for what was `group_by_length`; `shuffle` is Inkstone's own. */
function readSampling(fields: Fields, defaults: TrainingArguments) {
  const { shuffle, group_by_length } = defaults;
  const asked = fields.has('train_sampling_strategy')
    ? fields.oneOf(
        'train_sampling_strategy',
        ['random', 'sequential', 'group_by_length'],
        undefined,
      )
    : undefined;
  return {
    shuffle: fields.boolean('shuffle', asked ? asked !== 'sequential' : shuffle),
    group_by_length: fields.boolean(
      'group_by_length',
      asked ? asked === 'group_by_length' : group_by_length,
    ),
  };
}

function readFourBit(fields: Fields, fallback: boolean): boolean {
  const isOn = fields.boolean('load_in_4bit', fallback);
  const type = fields.text('bnb_4bit_quant_type', 'nf4');
  const isDouble = fields.boolean('bnb_4bit_use_double_quant', true);
  if (!isOn && fields.object.adapter === 'qlora')
    throw fields.unsupported('load_in_4bit', false, 'true with adapter qlora');
  if (isOn) {
    if (type !== 'nf4') throw fields.unsupported('bnb_4bit_quant_type', type, 'nf4');
    if (!isDouble) throw fields.unsupported('bnb_4bit_use_double_quant', false, 'true');
  }
  return isOn;
}
