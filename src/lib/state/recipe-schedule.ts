/**
 * The options that each learning-rate schedule brings along (`lr_scheduler_kwargs`): what the page shows where
 * the recipe leaves them out, and what a schedule keeps, drops and needs when it is chosen.
 */
import {
  LR_SCHEDULER_KWARGS,
  type LrSchedulerKwargs,
  type LrSchedulerType,
  type TrainingArguments,
} from '../config';

export type ScheduleChoice = 'warmup_type' | 'decay_type';
export type ScheduleNumber = Exclude<keyof LrSchedulerKwargs, ScheduleChoice>;

/** Without a lowest rate of its own a schedule ends at this share of the learning rate. */
const USUAL_MIN_LR_RATE = 0.1;
const USUAL_DECAY_STEPS = 10;

type Schedule = Pick<TrainingArguments, 'lr_scheduler_type' | 'lr_scheduler_kwargs'>;

const isNumber = (name: keyof LrSchedulerKwargs): name is ScheduleNumber =>
  name !== 'warmup_type' && name !== 'decay_type';

export const allScheduleNumbers: readonly ScheduleNumber[] = [
  ...new Set(Object.values(LR_SCHEDULER_KWARGS).flat().filter(isNumber)),
];

export const scheduleNumbers = (type: LrSchedulerType): readonly ScheduleNumber[] =>
  LR_SCHEDULER_KWARGS[type].filter(isNumber);

export const scheduleChoices = (type: LrSchedulerType): readonly ScheduleChoice[] =>
  LR_SCHEDULER_KWARGS[type].filter((name): name is ScheduleChoice => !isNumber(name));

/** Everything, with transformers' defaults where the recipe says nothing; 0 where that stands for none. */
export function shownSchedule({
  lr_scheduler_type,
  lr_scheduler_kwargs,
}: Schedule): Required<LrSchedulerKwargs> {
  const restarts = lr_scheduler_type === 'cosine_with_restarts';
  return {
    num_cycles: restarts ? 1 : 0.5,
    lr_end: 1e-7,
    power: 1,
    timescale: 0,
    min_lr: 0,
    min_lr_rate: 0,
    warmup_lr_rate: 0,
    num_decay_steps: USUAL_DECAY_STEPS,
    num_stable_steps: 0,
    min_lr_ratio: 0,
    warmup_type: 'linear',
    decay_type: 'cosine',
    ...lr_scheduler_kwargs,
  };
}

/** At 0 these are left to the schedule. */
const NONE_AT_ZERO: readonly ScheduleNumber[] = ['timescale', 'num_stable_steps', 'warmup_lr_rate'];

export function withScheduleOption(
  { lr_scheduler_type, lr_scheduler_kwargs }: Schedule,
  name: keyof LrSchedulerKwargs,
  value: number | string,
): LrSchedulerKwargs | null {
  const kwargs: LrSchedulerKwargs = { ...lr_scheduler_kwargs, [name]: value };
  if (value === 0 && (name === 'min_lr' || (isNumber(name) && NONE_AT_ZERO.includes(name))))
    delete kwargs[name];
  // One of the two is the lowest rate.
  if (name === 'min_lr' && value !== 0) delete kwargs.min_lr_rate;
  if (name === 'min_lr_rate') delete kwargs.min_lr;
  return fitSchedule({ lr_scheduler_type, lr_scheduler_kwargs: kwargs }).lr_scheduler_kwargs;
}

/** What the schedule does not take is dropped, what it needs is filled in; the rest stays as it is. */
export function fitSchedule<Args extends Schedule>(args: Args): Args {
  const { lr_scheduler_type: type, lr_scheduler_kwargs: before } = args;
  const takes = LR_SCHEDULER_KWARGS[type];
  const kwargs = Object.fromEntries(
    Object.entries(before ?? {}).filter(([name]) => (takes as readonly string[]).includes(name)),
  ) as LrSchedulerKwargs;
  const hasMinimum = kwargs.min_lr !== undefined || kwargs.min_lr_rate !== undefined;
  if (takes.includes('min_lr') && !hasMinimum) kwargs.min_lr_rate = USUAL_MIN_LR_RATE;
  if (takes.includes('num_decay_steps')) kwargs.num_decay_steps ??= USUAL_DECAY_STEPS;
  const names = Object.keys(kwargs);
  const isSame =
    names.length === Object.keys(before ?? {}).length &&
    names.every((name) => Object.hasOwn(before ?? {}, name));
  if (isSame) return args;
  return { ...args, lr_scheduler_kwargs: names.length > 0 ? kwargs : null };
}
