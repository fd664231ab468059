import { describe, expect, it } from 'vitest';
import { DEFAULT_TRAINING_ARGUMENTS, type TrainingArguments } from '$lib/config';
import { checkRows, collate, countTargets, epochOrder, IGNORED } from '$lib/training/batches';
import { epochAfter, runShape, stepRows } from '$lib/training/progress';

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
  });
});
