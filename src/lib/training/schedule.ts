/** Learning-rate schedules of transformers' `optimization.py`, as a factor of the configured rate. */
import type { LrSchedulerKwargs, RampType, TrainingArguments } from '../config';

type ScheduleArguments = Pick<
  TrainingArguments,
  'lr_scheduler_type' | 'warmup_steps' | 'warmup_ratio' | 'learning_rate'
> &
  Partial<Pick<TrainingArguments, 'lr_scheduler_kwargs'>>;

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
  const kwargs = args.lr_scheduler_kwargs ?? {};
  if (type === 'constant') return 1;
  if (type === 'warmup_stable_decay') return stableDecayAt(kwargs, step, totalSteps, warmup);
  if (step < warmup) {
    const { warmup_lr_rate: first } = kwargs;
    if (type !== 'cosine_warmup_with_min_lr') return step / Math.max(1, warmup);
    if (first === undefined) return (step + 1) / Math.max(1, warmup);
    return first + ((1 - first) * step) / Math.max(1, warmup - 1);
  }
  const left = Math.max(1, totalSteps - warmup);
  const progress = (step - warmup) / left;
  switch (type) {
    case 'constant_with_warmup':
      return 1;
    case 'linear':
      return Math.max(0, 1 - progress);
    case 'cosine':
      return Math.max(0, cosine(kwargs.num_cycles ?? 0.5, progress));
    case 'cosine_with_restarts':
      if (progress >= 1) return 0;
      return Math.max(
        0,
        0.5 * (1 + Math.cos(Math.PI * (((kwargs.num_cycles ?? 1) * progress) % 1))),
      );
    case 'polynomial':
      return polynomialAt(kwargs, args.learning_rate, Math.min(1, progress));
    case 'inverse_sqrt': {
      const timescale = kwargs.timescale ?? (warmup || 10_000);
      return 1 / Math.sqrt((step + timescale - warmup) / timescale);
    }
    case 'cosine_with_min_lr':
      return withMinimum(cosine(kwargs.num_cycles ?? 0.5, progress), kwargs, args.learning_rate);
    case 'cosine_warmup_with_min_lr': {
      const factor = cosine(kwargs.num_cycles ?? 0.5, (step - warmup + 1) / left);
      return withMinimum(factor, kwargs, args.learning_rate);
    }
  }
}

const cosine = (cycles: number, progress: number) =>
  0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress));

function withMinimum(factor: number, kwargs: LrSchedulerKwargs, learningRate: number): number {
  const lowest = kwargs.min_lr_rate ?? (kwargs.min_lr ?? 0) / learningRate;
  return Math.max(0, factor * (1 - lowest) + lowest);
}

function polynomialAt(kwargs: LrSchedulerKwargs, learningRate: number, progress: number): number {
  const { lr_end: end = 1e-7, power = 1 } = kwargs;
  return ((learningRate - end) * (1 - progress) ** power + end) / learningRate;
}

function stableDecayAt(
  kwargs: LrSchedulerKwargs,
  step: number,
  totalSteps: number,
  warmup: number,
): number {
  const { min_lr_ratio: lowest = 0, num_cycles = 0.5, num_decay_steps: decay = 0 } = kwargs;
  const stable = kwargs.num_stable_steps ?? totalSteps - warmup - decay;
  const scaled = (factor: number) => Math.max(0, factor * (1 - lowest) + lowest);
  if (step < warmup)
    return scaled(rise(kwargs.warmup_type ?? 'linear', step / Math.max(1, warmup)));
  if (step < warmup + stable) return 1;
  if (step >= warmup + stable + decay) return lowest;
  const progress = (step - warmup - stable) / Math.max(1, decay);
  return scaled(fall(kwargs.decay_type ?? 'cosine', progress, num_cycles));
}

function rise(type: RampType, progress: number): number {
  if (type === 'linear') return progress;
  if (type === 'cosine') return 0.5 * (1 - Math.cos(Math.PI * progress));
  return 1 - Math.sqrt(1 - progress);
}

function fall(type: RampType, progress: number, cycles: number): number {
  if (type === 'linear') return 1 - progress;
  if (type === 'cosine') return cosine(cycles, progress);
  return 1 - Math.sqrt(progress);
}
