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

  // Nine rates in thousandths, from a learning rate of 1e-3, as transformers 5.18's get_scheduler gives them.
  it.each<[LrSchedulerType, number, LrSchedulerKwargs, number[]]>([
    [
      'cosine',
      2,
      { num_cycles: 1.25 },
      [0.0, 0.5, 1.0, 0.71694187, 0.1882551, 0.01253604, 0.38873953, 0.89091574, 0.95048443],
    ],
    [
      'cosine_with_restarts',
      2,
      { num_cycles: 3 },
      [0.0, 0.5, 1.0, 0.61126047, 0.04951557, 0.8117449, 0.1882551, 0.95048443, 0.38873953],
    ],
    [
      'cosine_with_restarts',
      0,
      {},
      [1.0, 0.96984631, 0.88302222, 0.75, 0.58682409, 0.41317591, 0.25, 0.11697778, 0.03015369],
    ],
    [
      'polynomial',
      2,
      {},
      [0.0, 0.5, 1.0, 0.85715714, 0.71431429, 0.57147143, 0.42862857, 0.28578571, 0.14294286],
    ],
    [
      'polynomial',
      1,
      { lr_end: 0.0001, power: 2.0 },
      [0.0, 1.0, 0.7890625, 0.60625, 0.4515625, 0.325, 0.2265625, 0.15625, 0.1140625],
    ],
    [
      'inverse_sqrt',
      3,
      {},
      [0.0, 0.33333333, 0.66666667, 1.0, 0.8660254, 0.77459667, 0.70710678, 0.65465367, 0.61237244],
    ],
    [
      'inverse_sqrt',
      0,
      {},
      [
        1.0, 0.99995, 0.99990001, 0.99985003, 0.99980006, 0.99975009, 0.99970013, 0.99965018,
        0.99960024,
      ],
    ],
    [
      'inverse_sqrt',
      2,
      { timescale: 5 },
      [0.0, 0.5, 1.0, 0.91287093, 0.84515425, 0.79056942, 0.74535599, 0.70710678, 0.67419986],
    ],
    [
      'cosine_with_min_lr',
      2,
      { min_lr: 0.0001 },
      [0.0, 0.5, 1.0, 0.95543599, 0.83057041, 0.65013442, 0.44986558, 0.26942959, 0.14456401],
    ],
    [
      'cosine_with_min_lr',
      0,
      { min_lr_rate: 0.25, num_cycles: 1 },
      [1.0, 0.91226667, 0.69011807, 0.4375, 0.27261527, 0.27261527, 0.4375, 0.69011807, 0.91226667],
    ],
    [
      'cosine_warmup_with_min_lr',
      3,
      { min_lr_rate: 0.1 },
      [0.33333333, 0.66666667, 1.0, 0.93971143, 0.775, 0.55, 0.325, 0.16028857, 0.1],
    ],
    [
      'cosine_warmup_with_min_lr',
      3,
      { min_lr: 0.0001, warmup_lr_rate: 0.5 },
      [0.5, 0.75, 1.0, 0.93971143, 0.775, 0.55, 0.325, 0.16028857, 0.1],
    ],
    [
      'warmup_stable_decay',
      2,
      { num_decay_steps: 4 },
      [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.85355339, 0.5, 0.14644661],
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
    [
      'warmup_stable_decay',
      3,
      { num_decay_steps: 4, warmup_type: 'cosine', decay_type: '1-sqrt' },
      [0.0, 0.25, 0.75, 1.0, 1.0, 1.0, 0.5, 0.29289322, 0.1339746],
    ],
  ])('with arguments of its own: %s, warm-up %d, %j', (type, warmup, kwargs, values) => {
    const args = readTrainingArguments(
      {
        learning_rate: 1e-3,
        lr_scheduler_type: type,
        warmup_steps: warmup,
        lr_scheduler_kwargs: kwargs,
      },
      'config.json',
    );
    const found = values.map((_, step) => learningRateAt(args, step, values.length));
    values.forEach((value, step) =>
      expect(found[step], `step ${step}`).toBeCloseTo(value / 1e3, 10),
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
