/** How a run is cut into optimiser steps, and where in the data a step stands. Pure. */
import type { TrainingArguments } from '../config';
import { chunk, epochOrder } from './batches';
import { groupByLength } from './length-groups';

export interface RunShape {
  readonly batchesPerEpoch: number;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
}

/** Steps an epoch = ceil(batches / accumulation): an epoch's last group may be short and steps all the same. */
export function runShape(rowCount: number, args: TrainingArguments): RunShape {
  const batchesPerEpoch = Math.ceil(rowCount / args.per_device_train_batch_size);
  const stepsPerEpoch = Math.ceil(batchesPerEpoch / args.gradient_accumulation_steps);
  const totalSteps =
    args.max_steps > 0 ? args.max_steps : Math.ceil(args.num_train_epochs * stepsPerEpoch);
  return { batchesPerEpoch, stepsPerEpoch, totalSteps };
}

/**
 * Row numbers of an epoch: its optimiser steps, their micro-batches, the rows of each.
 * @param lengths tokens of each row; needed by `group_by_length`
 */
export function epochSteps(
  rowCount: number,
  args: TrainingArguments,
  epoch: number,
  lengths?: readonly number[],
): number[][][] {
  const { per_device_train_batch_size: size, gradient_accumulation_steps: accumulation } = args;
  const shuffled = epochOrder(rowCount, args.seed, epoch, args.shuffle);
  const order =
    args.group_by_length && lengths
      ? groupByLength(shuffled, lengths, size * accumulation)
      : shuffled;
  return chunk(chunk(order, size), accumulation);
}

/** Row numbers of the micro-batches of optimiser step `step` (from 0). */
export function stepRows(
  rowCount: number,
  args: TrainingArguments,
  step: number,
  lengths?: readonly number[],
): number[][] {
  const { stepsPerEpoch } = runShape(rowCount, args);
  const epoch = Math.floor(step / stepsPerEpoch);
  return epochSteps(rowCount, args, epoch, lengths)[step % stepsPerEpoch];
}

/** Epochs done after `step` optimiser steps, as the Trainer logs them: whole ones plus the share of batches. */
export function epochAfter(step: number, shape: RunShape, accumulation: number): number {
  const { stepsPerEpoch, batchesPerEpoch } = shape;
  const whole = Math.floor((step - 1) / stepsPerEpoch);
  const batches = Math.min(batchesPerEpoch, (step - whole * stepsPerEpoch) * accumulation);
  return whole + batches / batchesPerEpoch;
}
