/**
 * Which options of the recipe stand where on the page: the ones changed most often, and the rest by what
 * they are about. A new option is one more line here, one in recipe-limits where it is a number, and its
 * label and hint in i18n.
 */
import { LORA_BIASES, PLAIN_LR_SCHEDULER_TYPES } from '../config';
import { usesLora, type Method } from './methods';
import { optionsOf, type NumberOption } from './recipe-limits';

export type ChoiceOption =
  'lr_scheduler_type' | 'optim' | 'eval_strategy' | 'save_strategy' | 'bias' | 'init_lora_weights';
export type SwitchOption =
  | 'load_in_4bit'
  | 'use_rslora'
  | 'gradient_checkpointing'
  | 'packing'
  | 'group_by_length'
  | 'load_best_model_at_end'
  | 'shuffle'
  | 'train_on_prompt';

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
const STARTS = ['true', 'pissa', 'pissa_niter_4', 'olora'];
const LORA_MORE: readonly OptionItem[] = [
  choice('bias', LORA_BIASES),
  flag('use_rslora'),
  number('loraplus_lr_ratio'),
];

const MORE: Readonly<Record<Exclude<GroupName, 'method'>, readonly OptionItem[]>> = {
  pace: [
    choice('lr_scheduler_type', PLAIN_LR_SCHEDULER_TYPES),
    number('warmup_steps'),
    number('warmup_ratio'),
    number('max_steps'),
  ],
  optimizer: [
    choice('optim', ['adamw_torch', 'adamw_8bit']),
    flag('gradient_checkpointing'),
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
  ],
  evaluation: [
    choice('eval_strategy', ['no', 'epoch', 'steps']),
    number('eval_steps'),
    number('per_device_eval_batch_size'),
    flag('load_best_model_at_end'),
    number('early_stopping_patience'),
    number('early_stopping_threshold'),
  ],
  saving: [
    number('logging_steps'),
    choice('save_strategy', ['epoch', 'steps', 'no']),
    number('save_steps'),
    number('save_total_limit'),
  ],
};

export const mainOptions = (method: Method): NumberOption[] => {
  const counting = optionsOf(method);
  return MAIN.filter((name) => counting.includes(name));
};

/** Everything else, in order; a method without options of its own has no such group. */
export function moreGroups(method: Method): { name: GroupName; items: readonly OptionItem[] }[] {
  const own = [
    ...(method === 'lora' ? [choice('init_lora_weights', STARTS)] : []),
    ...(usesLora(method) ? LORA_MORE : []),
    ...(method === 'full' ? [] : [flag('load_in_4bit')]),
  ];
  return GROUPS.map((name) => ({ name, items: name === 'method' ? own : MORE[name] })).filter(
    ({ items }) => items.length > 0,
  );
}
