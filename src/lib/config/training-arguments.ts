/** The part of transformers' `TrainingArguments` that Inkstone honours, with its names and defaults. */
import { Fields, type JsonObject } from './fields';
import { DEFAULT_LORA_CONFIG, type LoraConfig } from './lora-config';

export const LR_SCHEDULER_TYPES = ['linear', 'cosine', 'constant', 'constant_with_warmup'] as const;
export type LrSchedulerType = (typeof LR_SCHEDULER_TYPES)[number];

export interface TrainingArguments {
  learning_rate: number;
  per_device_train_batch_size: number;
  gradient_accumulation_steps: number;
  num_train_epochs: number;
  /** Optimiser steps in all; at or below 0 the epochs decide. */
  max_steps: number;
  lr_scheduler_type: LrSchedulerType;
  warmup_steps: number;
  /** Share of all steps; counts only when `warmup_steps` is 0. */
  warmup_ratio: number;
  weight_decay: number;
  adam_beta1: number;
  adam_beta2: number;
  adam_epsilon: number;
  /** LoRA+ (arXiv 2402.12354): B learns at so many times the rate; 1 is plain LoRA. PEFT's name. */
  loraplus_lr_ratio: number;
  /** At or below 0 the norm is measured but nothing is clipped. */
  max_grad_norm: number;
  seed: number;
  /** False keeps the rows in the order of the file. */
  shuffle: boolean;
  logging_steps: number;
  /** `epoch`: a checkpoint at each epoch's end; `steps`: every `save_steps`; `no`: only at the end. */
  save_strategy: 'epoch' | 'steps' | 'no';
  save_steps: number;
  /** Checkpoints kept of a run, the oldest go first; null keeps all. */
  save_total_limit: number | null;
  /**
   * QLoRA (arXiv 2305.14314): the linear layers of the frozen base in NF4 with double quantisation.
   * BitsAndBytesConfig's name; its `bnb_4bit_quant_type` is nf4 and `bnb_4bit_use_double_quant` true here.
   */
  load_in_4bit: boolean;
  /** Tokens a row may have; the rest is cut off. */
  max_length: number;
  /** Loss on the prompt's tokens too. */
  train_on_prompt: boolean;
}

/** transformers' defaults, plus Inkstone's own `shuffle`, `max_length` (TRL's name) and `train_on_prompt`. */
export const DEFAULT_TRAINING_ARGUMENTS: TrainingArguments = {
  learning_rate: 5e-5,
  per_device_train_batch_size: 8,
  gradient_accumulation_steps: 1,
  num_train_epochs: 3,
  max_steps: -1,
  lr_scheduler_type: 'linear',
  warmup_steps: 0,
  warmup_ratio: 0,
  weight_decay: 0,
  adam_beta1: 0.9,
  adam_beta2: 0.999,
  adam_epsilon: 1e-8,
  loraplus_lr_ratio: 1,
  max_grad_norm: 1,
  seed: 42,
  shuffle: true,
  logging_steps: 500,
  save_strategy: 'steps',
  save_steps: 500,
  save_total_limit: null,
  load_in_4bit: false,
  max_length: 1024,
  train_on_prompt: false,
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

/** @throws ConfigError naming the field, what was found and what is allowed */
export function readTrainingArguments(
  object: JsonObject,
  fileName: string,
  defaults: TrainingArguments = DEFAULT_TRAINING_ARGUMENTS,
): TrainingArguments {
  const fields = new Fields(object, fileName);
  const whole = { min: 1, max: 1e9 };
  const beta = { min: 0, max: 0.9999999 };
  // A fraction below 1 in `warmup_steps` is a share of all steps, as transformers 5 reads it.
  const warmup = fields.number('warmup_steps', defaults.warmup_steps, { min: 0, max: 1e9 });
  const warmupIsShare = warmup > 0 && warmup < 1;
  return {
    learning_rate: fields.number('learning_rate', defaults.learning_rate, { min: 0, max: 10 }),
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
    lr_scheduler_type: fields.oneOf(
      'lr_scheduler_type',
      LR_SCHEDULER_TYPES,
      defaults.lr_scheduler_type,
    ),
    warmup_steps: warmupIsShare ? 0 : Math.floor(warmup),
    warmup_ratio: warmupIsShare
      ? warmup
      : fields.number('warmup_ratio', defaults.warmup_ratio, { min: 0, max: 1 }),
    weight_decay: fields.number('weight_decay', defaults.weight_decay, { min: 0, max: 10 }),
    adam_beta1: fields.number('adam_beta1', defaults.adam_beta1, beta),
    adam_beta2: fields.number('adam_beta2', defaults.adam_beta2, beta),
    adam_epsilon: fields.number('adam_epsilon', defaults.adam_epsilon, { min: 0, max: 1 }),
    loraplus_lr_ratio: fields.number('loraplus_lr_ratio', defaults.loraplus_lr_ratio, {
      min: 1,
      max: 1e4,
    }),
    max_grad_norm: fields.number('max_grad_norm', defaults.max_grad_norm, { max: 1e9 }),
    seed: fields.integer('seed', defaults.seed, { min: 0, max: 0xffffffff }),
    shuffle: fields.boolean('shuffle', defaults.shuffle),
    logging_steps: fields.integer('logging_steps', defaults.logging_steps, whole),
    save_strategy: fields.oneOf('save_strategy', ['epoch', 'steps', 'no'], defaults.save_strategy),
    save_steps: fields.integer('save_steps', defaults.save_steps, whole),
    save_total_limit: readLimit(fields, defaults.save_total_limit),
    load_in_4bit: readFourBit(fields, defaults.load_in_4bit),
    max_length: fields.integer('max_length', defaults.max_length, { min: 2, max: 1 << 20 }),
    train_on_prompt: fields.boolean('train_on_prompt', defaults.train_on_prompt),
  };
}

/** The Trainer reads 0 and less as no limit. */
function readLimit(fields: Fields, fallback: number | null): number | null {
  if (!fields.has('save_total_limit')) return fallback;
  const limit = fields.integer('save_total_limit', undefined, { max: 1e9 });
  return limit > 0 ? limit : null;
}

function readFourBit(fields: Fields, fallback: boolean): boolean {
  const isOn = fields.boolean('load_in_4bit', fallback);
  if (isOn) {
    const type = fields.text('bnb_4bit_quant_type', 'nf4');
    if (type !== 'nf4') throw fields.unsupported('bnb_4bit_quant_type', type, 'nf4');
    if (!fields.boolean('bnb_4bit_use_double_quant', true))
      throw fields.unsupported('bnb_4bit_use_double_quant', false, 'true');
  }
  return isOn;
}
