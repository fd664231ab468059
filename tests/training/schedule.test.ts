import { describe, expect, it } from 'vitest';
import type { LrSchedulerType } from '$lib/config';
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
});
