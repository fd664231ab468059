import { describe, expect, it } from 'vitest';
import {
  DEFAULT_TRAINING_ARGUMENTS,
  readTrainingArguments,
  type TrainingArguments,
} from '$lib/config';
import { checkRows, collate, countTargets, epochOrder, IGNORED } from '$lib/training/batches';
import { groupByLength } from '$lib/training/length-groups';
import { emptyTrainerState } from '$lib/training/trainer-state';
import { epochAfter, epochSteps, runShape, stepRows } from '$lib/training/progress';

const row = (ids: number[], labels = ids) => ({
  inputIds: Int32Array.from(ids),
  labels: Int32Array.from(labels),
});

describe('batches', () => {
  it('are padded on the right, with the positions that have a target at the front', () => {
    const batch = collate([
      row([5, 6, 7], [IGNORED, IGNORED, 7]),
      row([1, 2, 3, 4], [1, IGNORED, 3, 4]),
    ]);
    expect([batch.B, batch.T, batch.targetCount, batch.tokenCount]).toEqual([2, 16, 3, 7]);
    expect(Array.from(batch.ids.subarray(0, 4))).toEqual([5, 6, 7, 0]);
    // A label at t is predicted from t - 1; the first label of a row never counts.
    expect(Array.from(batch.rowIndex.subarray(0, 3))).toEqual([1, 17, 18]);
    expect(Array.from(batch.targets.subarray(0, 3))).toEqual([7, 3, 4]);
    expect(countTargets(row([1, 2], [1, IGNORED]))).toBe(0);
  });

  it('come in an order that only the seed and the epoch decide', () => {
    const order = epochOrder(50, 7, 0, true);
    expect(order).toEqual(epochOrder(50, 7, 0, true));
    expect(order).not.toEqual(epochOrder(50, 7, 1, true));
    expect(order).not.toEqual(epochOrder(50, 8, 0, true));
    expect([...order].sort((a, b) => a - b)).toEqual(epochOrder(50, 7, 0, false));
  });

  it.each([
    [[], 'no-rows', /no row/],
    [[row([1, 2], [IGNORED, IGNORED])], 'no-targets', /every answer is empty or cut/],
    [[row([1, 2]), row([1, 99])], 'wrong-token', /Row 2 has the token 99, the model knows 0 to 9/],
    [[row([1, 2, 3, 4, 5, 6])], 'too-long', /Row 1 has 6 tokens, the model reads at most 5/],
  ])('refuses rows that cannot be learnt: %#', (rows, code, message) => {
    expect(() => checkRows(rows, 10, 5)).toThrow(message);
    expect(() => checkRows(rows, 10, 5)).toThrow(expect.objectContaining({ code }));
    expect(() => checkRows([row([1, 2])], 10, 5)).not.toThrow();
  });
});

describe('group_by_length', () => {
  // Orders that transformers 5.18's get_length_grouped_indices gives where nothing is shuffled.
  const lengths = [7, 3, 9, 1, 4, 4, 8, 2, 9, 5, 6, 3, 3, 10, 2, 7, 1, 5, 10, 4];
  const unshuffled = (count: number) => epochOrder(count, 0, 0, false);
  it.each([
    [20, 2, [13, 0, 1, 3, 6, 4, 5, 7, 8, 10, 9, 11, 2, 15, 12, 14, 18, 17, 19, 16]],
    [20, 3, [13, 0, 1, 4, 5, 3, 8, 6, 7, 10, 9, 11, 2, 12, 14, 15, 17, 16, 18, 19]],
    [5, 4, [2, 0, 1, 3, 4]],
  ])('orders %d rows in steps of %d as the Trainer', (count, batchSize, order) => {
    expect(groupByLength(unshuffled(count), lengths.slice(0, count), batchSize)).toEqual(order);
  });

  it('has megabatches of fifty steps at most', () => {
    const many = Array.from({ length: 450 }, (_, i) => (i % 7) + 1);
    const order = groupByLength(unshuffled(450), many, 2);
    expect(order.slice(0, 12)).toEqual([6, 13, 20, 27, 34, 41, 48, 55, 62, 69, 76, 83]);
    expect(order.slice(100, 106)).toEqual([104, 111, 118, 125, 132, 139]);
    expect([...order].sort((a, b) => a - b)).toEqual(unshuffled(450));
  });

  it('is over the shuffle of the seed and the epoch, by the rows of a step', () => {
    const args = { ...DEFAULT_TRAINING_ARGUMENTS, per_device_train_batch_size: 2 };
    const grouped = { ...args, gradient_accumulation_steps: 2, group_by_length: true };
    const flat = (epoch: number, seed = 1) =>
      epochSteps(20, { ...grouped, seed }, epoch, lengths).flat(2);
    expect(flat(0)).toEqual(groupByLength(epochOrder(20, 1, 0, true), lengths, 4));
    expect(flat(1)).not.toEqual(flat(0));
    expect(flat(0, 2)).not.toEqual(flat(0));
    expect(stepRows(20, { ...grouped, seed: 1 }, 6, lengths)).toEqual(
      epochSteps(20, { ...grouped, seed: 1 }, 1, lengths)[1],
    );
  });

  it('is also what train_sampling_strategy asks for', () => {
    const read = (settings: object) => {
      const { shuffle, group_by_length } = readTrainingArguments({ ...settings }, 'c.json');
      return [shuffle, group_by_length];
    };
    expect(read({})).toEqual([true, false]);
    expect(read({ group_by_length: true })).toEqual([true, true]);
    expect(read({ train_sampling_strategy: 'group_by_length' })).toEqual([true, true]);
    expect(read({ train_sampling_strategy: 'sequential' })).toEqual([false, false]);
    expect(() => read({ train_sampling_strategy: 'batch_rebalance' })).toThrow(
      /"batch_rebalance", one of random, sequential, group_by_length/,
    );
  });
});

describe('the shape of a run', () => {
  const args = (changes: Partial<TrainingArguments>) => ({
    ...DEFAULT_TRAINING_ARGUMENTS,
    per_device_train_batch_size: 2,
    gradient_accumulation_steps: 3,
    shuffle: false,
    ...changes,
  });

  it('steps at the end of an epoch with what is left, and never carries it over', () => {
    const settings = args({ num_train_epochs: 2 });
    expect(runShape(15, settings)).toEqual({ batchesPerEpoch: 8, stepsPerEpoch: 3, totalSteps: 6 });
    const sizes = [0, 1, 2, 3].map((step) => stepRows(15, settings, step).map((b) => b.length));
    expect(sizes).toEqual([
      [2, 2, 2],
      [2, 2, 2],
      [2, 1],
      [2, 2, 2],
    ]);
    const shape = runShape(15, settings);
    expect([1, 2, 3, 4].map((step) => epochAfter(step, shape, 3))).toEqual([
      3 / 8,
      6 / 8,
      1,
      1 + 3 / 8,
    ]);
  });

  it('lets max_steps end a run in mid-epoch', () => {
    expect(runShape(15, args({ max_steps: 4 })).totalSteps).toBe(4);
    expect(runShape(15, args({ num_train_epochs: 0.5 })).totalSteps).toBe(2);
    // As the Trainer: ceil(epochs x steps an epoch), and max_steps wins over the epochs.
    expect(runShape(15, args({ num_train_epochs: 1.34 })).totalSteps).toBe(5);
    expect(runShape(15, args({ num_train_epochs: 9, max_steps: 2 })).totalSteps).toBe(2);
    const state = emptyTrainerState(args({ num_train_epochs: 1.34 }), 5, 3);
    expect([state.max_steps, state.num_train_epochs]).toEqual([5, 2]);
  });
});
