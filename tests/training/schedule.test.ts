import { describe, expect, it } from 'vitest';
import { readTrainingArguments, type LrSchedulerKwargs, type LrSchedulerType } from '$lib/config';
import { learningRateAt } from '$lib/training';
import { readJson } from '../goldens';

interface Schedule {
  lr_scheduler_type: LrSchedulerType;
  warmup_steps: number;
  num_training_steps: number;
  learning_rate: number;
  values: number[];
}

interface ScheduleWithKwargs extends Schedule {
  lr_scheduler_kwargs: LrSchedulerKwargs;
}

/** Of settings that are read as a recipe's are. */
const rateAt = (settings: object, step: number, totalSteps: number): number =>
  learningRateAt(readTrainingArguments({ ...settings }, 'config.json'), step, totalSteps);

describe('learning-rate schedules', () => {
  it.each(readJson<Schedule[]>('schedules.json'))(
    "equal transformers' $lr_scheduler_type with warm-up $warmup_steps",
    ({ values, num_training_steps, ...schedule }) => {
      const args = { ...schedule, warmup_ratio: 0 };
      const found = values.map((_, step) => learningRateAt(args, step, num_training_steps));
      values.forEach((value, step) => expect(found[step]).toBeCloseTo(value, 12));
    },
  );

  it('takes a share of all steps as warm-up', () => {
    const args = {
      lr_scheduler_type: 'linear',
      warmup_steps: 0,
      warmup_ratio: 0.15,
      learning_rate: 1,
    } as const;
    expect([0, 1, 2].map((step) => learningRateAt(args, step, 12))).toEqual([0, 0.5, 1]);
  });

  it.each(readJson<ScheduleWithKwargs[]>('schedules-more.json'))(
    "equal transformers' $lr_scheduler_type with $lr_scheduler_kwargs and warm-up $warmup_steps",
    ({ values, num_training_steps, ...settings }) =>
      values.forEach((value, step) =>
        expect(rateAt(settings, step, num_training_steps), `step ${step}`).toBeCloseTo(value, 12),
      ),
  );

  // Nine rates in thousandths, from a learning rate of 1e-3, as transformers 5.18's get_scheduler gives them: what
  // the file has no case of.
  it.each<[LrSchedulerType, number, LrSchedulerKwargs, number[]]>([
    [
      'cosine',
      2,
      { num_cycles: 1.25 },
      [0.0, 0.5, 1.0, 0.71694187, 0.1882551, 0.01253604, 0.38873953, 0.89091574, 0.95048443],
    ],
    [
      'warmup_stable_decay',
      3,
      {
        num_decay_steps: 3,
        num_stable_steps: 1,
        warmup_type: '1-sqrt',
        decay_type: 'linear',
        min_lr_ratio: 0.1,
      },
      [0.1, 0.26515308, 0.48038476, 1.0, 1.0, 0.7, 0.4, 0.1, 0.1],
    ],
  ])('with arguments of its own: %s, warm-up %d, %j', (type, warmup, kwargs, values) => {
    const settings = {
      learning_rate: 1e-3,
      lr_scheduler_type: type,
      warmup_steps: warmup,
      lr_scheduler_kwargs: kwargs,
    };
    values.forEach((value, step) =>
      expect(rateAt(settings, step, values.length), `step ${step}`).toBeCloseTo(value / 1e3, 10),
    );
  });

  it.each([
    ['linear', { num_cycles: 2 }, /linear takes no num_cycles; it takes nothing/],
    ['cosine', { cycles: 2 }, /cosine takes no cycles; it takes num_cycles/],
    ['cosine_with_min_lr', {}, /needs min_lr or min_lr_rate .* found neither/],
    ['cosine_with_min_lr', { min_lr: 0, min_lr_rate: 0 }, /found both/],
    ['warmup_stable_decay', {}, /needs num_decay_steps/],
    ['polynomial', { lr_end: 0.1 }, /lr_end is 0.1, it must be below the learning_rate/],
    ['inverse_sqrt', { timescale: 0 }, /timescale is 0/],
    ['warmup_stable_decay', { num_decay_steps: 1, decay_type: 'log' }, /decay_type is "log"/],
    ['reduce_lr_on_plateau', {}, /lr_scheduler_type is "reduce_lr_on_plateau", one of linear/],
  ])('refuses %s with %j by name', (lr_scheduler_type, lr_scheduler_kwargs, message) => {
    const read = (kwargs: object) =>
      readTrainingArguments({ lr_scheduler_type, lr_scheduler_kwargs: kwargs }, 'config.json');
    expect(() => read(lr_scheduler_kwargs)).toThrow(message);
  });
});
