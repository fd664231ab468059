/**
 * Plan: a whole run's state ends with the entry that the Trainer logs when `train()` returns, rounded as it rounds,
 * and is read again as it was written; where a step's loss is not known, or nothing was done, there is no such entry.
 */
import { describe, expect, it } from 'vitest';
import { DEFAULT_TRAINING_ARGUMENTS } from '$lib/config';
import { parseTrainerState, summarize, writeTrainerState } from '$lib/training';
import { emptyTrainerState } from '$lib/training/trainer-state';

const state = {
  ...emptyTrainerState(DEFAULT_TRAINING_ARGUMENTS, 4, 2),
  ...{ epoch: 1.5, global_step: 3 },
  log_history: [{ epoch: 1, grad_norm: 1, learning_rate: 0.1, loss: 2.5, step: 2 }],
};

describe('the last entry of a run', () => {
  it('is the mean loss over all steps, logged or not, with the time that they took', () => {
    const { log_history, ...rest } = summarize(state, { losses: [3, 2, 1.3], elapsedMs: 7000.04 });
    expect(rest).toEqual({ ...state, log_history: undefined });
    expect(log_history.slice(0, -1)).toEqual(state.log_history);
    expect(log_history.at(-1)).toEqual({
      ...{ epoch: 1.5, step: 3, total_flos: 0 },
      ...{ train_loss: 2.1, train_runtime: 7, train_steps_per_second: 0.429 },
    });
  });

  it('is read again as it was written', () => {
    const whole = summarize(state, { losses: [3, 2, 1], elapsedMs: 1234.56 });
    expect(parseTrainerState(writeTrainerState(whole))).toEqual(whole);
  });

  it('is not made up', () => {
    for (const worked of [
      { losses: [3, 2], elapsedMs: 100 },
      { losses: [3, 2, 1, 1], elapsedMs: 100 },
      { losses: [3, 2, 1], elapsedMs: 0 },
    ])
      expect(summarize(state, worked)).toBe(state);
    const untouched = { ...state, global_step: 0 };
    expect(summarize(untouched, { losses: [], elapsedMs: 100 })).toBe(untouched);
  });
});
