/**
 * Which options of the recipe stand where on the page: the ones changed most often, and the rest by what
 * they are about. A new option is one more line here, one in recipe-limits where it is a number, and its
 * label and hint in i18n.
 */
import {
  EVAL_STRATEGIES,
  LORA_BIASES,
  LR_SCHEDULER_TYPES,
  RAMP_TYPES,
  type LrSchedulerType,
} from '../config';
import { usesLora, type Method } from './methods';
import { optionsOf, type NumberOption } from './recipe-limits';
import { scheduleChoices, scheduleNumbers, type ScheduleChoice } from './recipe-schedule';

export type ChoiceOption =
  | 'lr_scheduler_type'
  | 'optim'
  | 'eval_strategy'
  | 'logging_strategy'
  | 'save_strategy'
  | 'metric_for_best_model'
  | 'greater_is_better'
  | 'bias'
  | 'init_lora_weights'
  | ScheduleChoice;
export type SwitchOption =
  | 'load_in_4bit'
  | 'use_rslora'
  | 'gradient_checkpointing'
  | 'fp16'
  | 'packing'
  | 'group_by_length'
  | 'load_best_model_at_end'
  | 'eval_on_start'
  | 'logging_first_step'
  | 'shuffle'
  | 'train_on_prompt'
  | 'split_long_text';

export type OptionItem =
  | { kind: 'number'; name: NumberOption }
  | { kind: 'choice'; name: ChoiceOption; values: readonly string[] }
  | { kind: 'switch'; name: SwitchOption };

export const GROUPS = ['method', 'pace', 'optimizer', 'data', 'evaluation', 'saving'] as const;
export type GroupName = (typeof GROUPS)[number];

const number = (name: NumberOption): OptionItem => ({ kind: 'number', name });
const choice = (name: ChoiceOption, values: readonly string[]): OptionItem => ({
  kind: 'choice',
  name,
  values,
});
const flag = (name: SwitchOption): OptionItem => ({ kind: 'switch', name });

const MAIN: readonly NumberOption[] = [
  'learning_rate',
  'num_train_epochs',
  'r',
  'lora_alpha',
  'lora_dropout',
  'num_virtual_tokens',
  'per_device_train_batch_size',
  'gradient_accumulation_steps',
  'max_length',
];

/** PiSSA by exact factors, and by four rounds of subspace iteration, which is far quicker. */
const STARTS = ['true', 'gaussian', 'orthogonal', 'pissa', 'pissa_niter_4', 'olora', 'false'];
/** DoRA goes with no part of the weight. */
const DRAWN_STARTS = ['true', 'gaussian', 'orthogonal', 'false'];
const LORA_MORE: readonly OptionItem[] = [
  choice('bias', LORA_BIASES),
  flag('use_rslora'),
  number('loraplus_lr_ratio'),
];

const MORE: Readonly<Record<Exclude<GroupName, 'method'>, readonly OptionItem[]>> = {
  pace: [
    choice('lr_scheduler_type', LR_SCHEDULER_TYPES),
    number('warmup_steps'),
    number('warmup_ratio'),
    number('max_steps'),
  ],
  optimizer: [
    choice('optim', ['adamw_torch', 'adamw_8bit']),
    flag('gradient_checkpointing'),
    flag('fp16'),
    number('weight_decay'),
    number('max_grad_norm'),
    number('adam_beta1'),
    number('adam_beta2'),
    number('adam_epsilon'),
    number('label_smoothing_factor'),
    number('neftune_noise_alpha'),
  ],
  data: [
    number('seed'),
    flag('shuffle'),
    flag('group_by_length'),
    flag('packing'),
    flag('train_on_prompt'),
    flag('split_long_text'),
  ],
  evaluation: [
    choice('eval_strategy', EVAL_STRATEGIES),
    number('eval_steps'),
    flag('eval_on_start'),
    number('per_device_eval_batch_size'),
    flag('load_best_model_at_end'),
    choice('metric_for_best_model', ['none', 'eval_loss', 'eval_mean_token_accuracy']),
    choice('greater_is_better', ['auto', 'false', 'true']),
    number('early_stopping_patience'),
    number('early_stopping_threshold'),
  ],
  saving: [
    choice('logging_strategy', EVAL_STRATEGIES),
    number('logging_steps'),
    flag('logging_first_step'),
    choice('save_strategy', ['epoch', 'steps', 'best', 'no']),
    number('save_steps'),
    number('save_total_limit'),
  ],
};

export const mainOptions = (method: Method): NumberOption[] => {
  const counting = optionsOf(method);
  return MAIN.filter((name) => counting.includes(name));
};

/** The schedule itself, then what it takes. */
const paceOf = (schedule: LrSchedulerType): readonly OptionItem[] => {
  const [type, ...others] = MORE.pace;
  return [
    type,
    ...scheduleNumbers(schedule).map(number),
    ...scheduleChoices(schedule).map((name) => choice(name, RAMP_TYPES)),
    ...others,
  ];
};

/**
 * Everything else, in order; a method without options of its own has no such group.
 * @param f16 whether the device computes in 16 bits, or the choice is on all the same
 * @param evaluates whether there is a figure to compare checkpoints by, or one is chosen all the same
 */
export function moreGroups(
  method: Method,
  schedule: LrSchedulerType = 'linear',
  f16 = true,
  evaluates = true,
): { name: GroupName; items: readonly OptionItem[] }[] {
  const own = [
    ...(usesLora(method)
      ? [choice('init_lora_weights', method === 'dora' ? DRAWN_STARTS : STARTS), ...LORA_MORE]
      : []),
    ...(method === 'full' ? [] : [flag('load_in_4bit')]),
  ];
  const itemsOf = (name: GroupName) =>
    name === 'method' ? own : name === 'pace' ? paceOf(schedule) : MORE[name];
  const isOffered = ({ name }: OptionItem) =>
    (f16 || name !== 'fp16') &&
    (evaluates || (name !== 'metric_for_best_model' && name !== 'greater_is_better'));
  return GROUPS.map((name) => ({ name, items: itemsOf(name).filter(isOffered) })).filter(
    ({ items }) => items.length > 0,
  );
}
