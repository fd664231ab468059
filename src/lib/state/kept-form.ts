/**
 * What the Train page's form holds, as it is kept over a reload and taken along in an export, and how it is read
 * back: nothing of it is trusted, and what is unsound falls back to what the form begins with, one by one. Pure.
 */
import {
  COMMON_RECIPE,
  DEFAULT_PREFIX_CONFIG,
  DEFAULT_TRAINING_ARGUMENTS,
  EVAL_STRATEGIES,
  isInitLoraWeights,
  isSampleLength,
  LORA_BIASES,
  LR_SCHEDULER_KWARGS,
  LR_SCHEDULER_TYPES,
  METRICS,
  OPTIMIZERS,
  RAMP_TYPES,
  SAMPLE_TOKENS,
  SAVE_STRATEGIES,
  type LoraConfig,
  type LrSchedulerKwargs,
  type TrainingArguments,
} from '../config';
import type { LeaveOut } from '../rpc/engine-api';
import type { OwnChoices } from './data-defaults';
import { shapeIa3, shapeLoraLayers } from './form-layers';
import { isObject, list, number, oneOf, text } from './local-shapes';
import { METHODS, type MethodOptions } from './methods';
import { isAllowed, isNullAtZero, LIMITS, type NumberOption } from './recipe-limits';
import { fitSchedule } from './recipe-schedule';

/** Where the rows to evaluate on come from: the sample's own, another data set, or a share of the data. */
export const EVAL_SOURCES = ['bundled', 'own', 'share'] as const;
export type EvalSource = (typeof EVAL_SOURCES)[number];

export const LEAVE_OUT: readonly LeaveOut[] = ['duplicates', 'empty', 'cut', 'leaked'];

/** What the slider goes up to. */
export const MOST_HELD_BACK = 0.5;
export const MOST_STEPS_BETWEEN_SAMPLES = 1_000_000;
/** A question is a few lines; what is much longer was not written in the field. */
const LONGEST_PROMPTS = 20_000;

/** Options that a person has edited, and which of them are their own choice. */
export interface KeptOptions extends MethodOptions, OwnChoices {
  training: TrainingArguments;
  rateIsOwn: boolean;
  /** The rate that LoRA was tuned to for this model and data. */
  tunedRate?: number;
}

export interface KeptForm {
  modelId?: string;
  datasetId?: string;
  leaveOut: readonly LeaveOut[];
  evalSource: EvalSource;
  evalDatasetId?: string;
  evalShare: number;
  /** As typed; absent where the page suggests them. */
  samplePrompts?: string;
  sampleEvery: number;
  /** Tokens that a sample answer may have. */
  max_new_tokens: number;
  /** A recipe that nobody has edited goes by its name alone: it follows model and data as before. */
  options: 'common' | 'recommended' | KeptOptions;
  /** The adapter to go on from, and how it will be trained. */
  start?: { adapterId: string; training: TrainingArguments } & OwnChoices;
}

export const UNTOUCHED_FORM: KeptForm = {
  leaveOut: [],
  evalSource: 'bundled',
  evalShare: 0.1,
  sampleEvery: 0,
  max_new_tokens: SAMPLE_TOKENS.default,
  options: 'common',
};

export function shapeKeptForm(value: unknown): KeptForm | undefined {
  if (!isObject(value)) return undefined;
  const prompts = text(value.samplePrompts);
  const sampleEvery = number(value.sampleEvery, 0, MOST_STEPS_BETWEEN_SAMPLES);
  return withoutHoles({
    modelId: text(value.modelId),
    datasetId: text(value.datasetId),
    leaveOut: LEAVE_OUT.filter((what) => list(value.leaveOut).includes(what)),
    evalSource: oneOf(value.evalSource, EVAL_SOURCES) ?? UNTOUCHED_FORM.evalSource,
    evalDatasetId: text(value.evalDatasetId),
    evalShare: number(value.evalShare, 0, MOST_HELD_BACK) ?? UNTOUCHED_FORM.evalShare,
    samplePrompts: prompts?.slice(0, LONGEST_PROMPTS),
    sampleEvery: Math.floor(sampleEvery ?? UNTOUCHED_FORM.sampleEvery),
    max_new_tokens: isSampleLength(value.max_new_tokens)
      ? value.max_new_tokens
      : UNTOUCHED_FORM.max_new_tokens,
    options: shapeOptions(value.options),
    start: shapeStart(value.start),
  });
}

function shapeOptions(value: unknown): KeptForm['options'] {
  if (!isObject(value)) return value === 'recommended' ? value : 'common';
  return withoutHoles({
    method: oneOf(value.method, METHODS) ?? 'lora',
    lora: shapeLora(value.lora),
    ia3: shapeIa3(value.ia3),
    prefix: {
      ...DEFAULT_PREFIX_CONFIG,
      num_virtual_tokens: readNumber(value.prefix, 'num_virtual_tokens', DEFAULT_PREFIX_CONFIG),
    },
    training: shapeTraining(value.training),
    rateIsOwn: value.rateIsOwn === true,
    evaluationIsOwn: value.evaluationIsOwn === true,
    splitIsOwn: value.splitIsOwn === true,
    tunedRate: number(value.tunedRate, 0, LIMITS.learning_rate.max),
  });
}

function shapeStart(value: unknown): KeptForm['start'] {
  if (!isObject(value) || typeof value.adapterId !== 'string') return undefined;
  return {
    adapterId: value.adapterId,
    training: shapeTraining(value.training),
    evaluationIsOwn: value.evaluationIsOwn === true,
    splitIsOwn: value.splitIsOwn === true,
  };
}

function shapeLora(value: unknown): LoraConfig {
  const given = isObject(value) ? value : {};
  const { lora } = COMMON_RECIPE;
  const init = given.init_lora_weights;
  return {
    peft_type: 'LORA',
    r: readNumber(given, 'r', lora),
    lora_alpha: readNumber(given, 'lora_alpha', lora),
    lora_dropout: readNumber(given, 'lora_dropout', lora),
    ...shapeLoraLayers(given),
    bias: oneOf(given.bias, LORA_BIASES) ?? lora.bias,
    use_rslora: given.use_rslora === true,
    // The method says so.
    use_dora: false,
    init_lora_weights: isInitLoraWeights(init) ? init : lora.init_lora_weights,
  };
}

/** Arguments that are no number, switch or schedule, by the values they may have. */
const CHOICES: Readonly<Partial<Record<keyof TrainingArguments, readonly unknown[]>>> = {
  lr_scheduler_type: LR_SCHEDULER_TYPES,
  optim: OPTIMIZERS,
  eval_strategy: EVAL_STRATEGIES,
  logging_strategy: EVAL_STRATEGIES,
  save_strategy: SAVE_STRATEGIES,
  metric_for_best_model: [null, ...METRICS],
  greater_is_better: [null, true, false],
};

function shapeTraining(value: unknown): TrainingArguments {
  const given = isObject(value) ? value : {};
  const { training } = COMMON_RECIPE;
  const names = Object.keys(DEFAULT_TRAINING_ARGUMENTS) as (keyof TrainingArguments)[];
  const read = Object.fromEntries(
    names.map((name) => [name, isSound(name, given[name]) ? given[name] : training[name]]),
  ) as unknown as TrainingArguments;
  const { lr_scheduler_type: type } = read;
  return fitSchedule({
    ...read,
    lr_scheduler_kwargs: shapeSchedule(type, given.lr_scheduler_kwargs),
  });
}

function isSound(name: keyof TrainingArguments, value: unknown): boolean {
  if (CHOICES[name]) return CHOICES[name].includes(value);
  if (typeof DEFAULT_TRAINING_ARGUMENTS[name] === 'boolean') return typeof value === 'boolean';
  if (!(name in LIMITS)) return false;
  const option = name as NumberOption;
  return (value === null && isNullAtZero(option)) || isAllowed(option, value as number);
}

function shapeSchedule(
  type: TrainingArguments['lr_scheduler_type'],
  value: unknown,
): LrSchedulerKwargs | null {
  if (!isObject(value)) return null;
  const sound = LR_SCHEDULER_KWARGS[type].filter((name) =>
    name === 'warmup_type' || name === 'decay_type'
      ? oneOf(value[name], RAMP_TYPES)
      : isAllowed(name, value[name] as number),
  );
  // One of the two is the lowest rate.
  const names = sound.filter((name) => name !== 'min_lr_rate' || !sound.includes('min_lr'));
  return names.length > 0 ? Object.fromEntries(names.map((name) => [name, value[name]])) : null;
}

function readNumber<Name extends NumberOption>(
  value: unknown,
  name: Name,
  defaults: Record<Name, number>,
): number {
  const found = isObject(value) ? value[name] : undefined;
  return isAllowed(name, found as number) ? (found as number) : defaults[name];
}

/** Without members that are undefined, so that what is written and what is read are the same text. */
const withoutHoles = <Value extends object>(value: Value): Value =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Value;
