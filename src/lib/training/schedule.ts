/** Learning-rate schedules of transformers' `optimization.py`, as a factor of the configured rate. */
import type { TrainingArguments } from '../config';

type ScheduleArguments = Pick<
  TrainingArguments,
  'lr_scheduler_type' | 'warmup_steps' | 'warmup_ratio' | 'learning_rate'
>;

/**
 * @param step optimiser steps done before this one, from 0
 * @param totalSteps optimiser steps of the whole run
 */
export function learningRateAt(args: ScheduleArguments, step: number, totalSteps: number): number {
  const warmup =
    args.warmup_steps > 0 ? args.warmup_steps : Math.ceil(args.warmup_ratio * totalSteps);
  return args.learning_rate * factorAt(args, step, totalSteps, warmup);
}

function factorAt(args: ScheduleArguments, step: number, totalSteps: number, warmup: number) {
  const type = args.lr_scheduler_type;
  if (type === 'constant') return 1;
  if (step < warmup) return step / Math.max(1, warmup);
  const progress = (step - warmup) / Math.max(1, totalSteps - warmup);
  switch (type) {
    case 'constant_with_warmup':
      return 1;
    case 'linear':
      return Math.max(0, 1 - progress);
    case 'cosine':
      return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
  }
}
