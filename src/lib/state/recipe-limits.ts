/** What each number of a recipe may be: as the validators of config/ have it, with upper bounds a page can live with. */
import type {
  LayerOptions,
  LoraConfig,
  LrSchedulerType,
  PrefixTuningConfig,
  TrainingArguments,
} from '../config';
import { usesLora, type Method } from './methods';
import { allScheduleNumbers, scheduleNumbers, type ScheduleNumber } from './recipe-schedule';

export interface NumberLimit {
  min: number;
  max: number;
  whole: boolean;
}

type Options = Omit<LoraConfig, 'target_modules' | keyof LayerOptions> &
  Omit<PrefixTuningConfig, 'peft_type'> &
  TrainingArguments;
export type NumberOption =
  | {
      [Name in keyof Options]: Options[Name] extends number | null ? Name : never;
    }[keyof Options]
  | ScheduleNumber;

const whole = (min: number, max: number): NumberLimit => ({ min, max, whole: true });
const real = (min: number, max: number): NumberLimit => ({ min, max, whole: false });

export const LIMITS: Readonly<Record<NumberOption, NumberLimit>> = {
  r: whole(1, 1024),
  lora_alpha: real(0.01, 4096),
  lora_dropout: real(0, 0.99),
  num_virtual_tokens: whole(1, 4096),
  learning_rate: real(0, 10),
  per_device_train_batch_size: whole(1, 256),
  gradient_accumulation_steps: whole(1, 1024),
  num_train_epochs: real(0.01, 1000),
  max_steps: whole(-1, 1_000_000),
  warmup_steps: whole(0, 1_000_000),
  warmup_ratio: real(0, 1),
  weight_decay: real(0, 10),
  adam_beta1: real(0, 0.9999999),
  adam_beta2: real(0, 0.9999999),
  adam_epsilon: real(0, 1),
  loraplus_lr_ratio: real(1, 10_000),
  max_grad_norm: real(0, 1000),
  // 0 is the same as none.
  neftune_noise_alpha: real(0, 1000),
  label_smoothing_factor: real(0, 1),
  seed: whole(0, 0xffffffff),
  logging_steps: whole(1, 100_000),
  save_steps: whole(1, 1_000_000),
  per_device_eval_batch_size: whole(1, 256),
  early_stopping_threshold: real(0, 1000),
  // 0 stands for none.
  save_total_limit: whole(0, 1000),
  eval_steps: whole(0, 1_000_000),
  early_stopping_patience: whole(0, 1000),
  max_length: whole(2, 1 << 20),
  // Of the schedules that have them.
  num_cycles: real(0, 1_000_000),
  lr_end: real(0, 10),
  power: real(0, 100),
  timescale: whole(0, 1_000_000),
  min_lr: real(0, 10),
  min_lr_rate: real(0, 1),
  warmup_lr_rate: real(0, 1),
  num_decay_steps: whole(0, 1_000_000),
  num_stable_steps: whole(0, 1_000_000),
  min_lr_ratio: real(0, 1),
};

/** Options of which 0 on the page is null in the recipe. */
export const NULL_AT_ZERO = [
  'save_total_limit',
  'eval_steps',
  'early_stopping_patience',
  'neftune_noise_alpha',
] as const;
type NullAtZero = (typeof NULL_AT_ZERO)[number];

export const isNullAtZero = (name: NumberOption): name is NullAtZero =>
  (NULL_AT_ZERO as readonly NumberOption[]).includes(name);

/** What the page shows for the options that may be null. */
export const shownNumbers = (training: TrainingArguments) =>
  Object.fromEntries(NULL_AT_ZERO.map((name) => [name, training[name] ?? 0])) as Record<
    NullAtZero,
    number
  >;

/** Numbers that only some methods have. */
const LORA_ONLY: readonly NumberOption[] = ['r', 'lora_alpha', 'lora_dropout', 'loraplus_lr_ratio'];
const PREFIX_ONLY: readonly NumberOption[] = ['num_virtual_tokens'];

const isOfSchedule = (name: NumberOption): name is ScheduleNumber =>
  (allScheduleNumbers as readonly NumberOption[]).includes(name);

/** The numbers that count with a method and a schedule: those of the others may hold anything. */
export const optionsOf = (method: Method, schedule: LrSchedulerType = 'linear'): NumberOption[] =>
  (Object.keys(LIMITS) as NumberOption[]).filter(
    (name) =>
      (usesLora(method) || !LORA_ONLY.includes(name)) &&
      (method === 'prefix' || !PREFIX_ONLY.includes(name)) &&
      (!isOfSchedule(name) || scheduleNumbers(schedule).includes(name)),
  );

export const isAllowed = (name: NumberOption, value: number | null | undefined): boolean => {
  const { min, max, whole } = LIMITS[name];
  return (
    typeof value === 'number' &&
    Number.isFinite(value) &&
    value >= min &&
    value <= max &&
    (!whole || Number.isInteger(value))
  );
};
