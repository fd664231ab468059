/**
 * Plan: the evaluations of a run that nobody asked for. The common recipe has them at each epoch's end where rows are
 * held back and none where no row is, likewise with the options of an earlier run; over random recipes the default
 * makes no contradiction that is not there without it, and changes nothing but when a run evaluates.
 */
import { describe, expect, test } from 'vitest';
import { COMMON_RECIPE, type TrainingArguments } from '../../src/lib/config';
import { Xoshiro128 } from '../../src/lib/config/random';
import { withDefaultEvaluation } from '../../src/lib/state/eval-default';
import { findConflict as find } from '../../src/lib/state/recipe-conflicts';

const findConflict = (args: TrainingArguments, heldBack: boolean) =>
  find(args, { method: 'lora', f16: true, heldBack });

const { training: COMMON } = COMMON_RECIPE;

describe('evaluations by default', () => {
  test('are at the end of each epoch where rows are held back, and none where no row is', () => {
    expect(withDefaultEvaluation(COMMON, true).eval_strategy).toBe('epoch');
    expect(withDefaultEvaluation(COMMON, false)).toBe(COMMON);
    const earlier: TrainingArguments = { ...COMMON, eval_strategy: 'epoch' };
    expect(withDefaultEvaluation(earlier, true)).toBe(earlier);
    expect(withDefaultEvaluation(earlier, false).eval_strategy).toBe('no');
    const bySteps: TrainingArguments = { ...COMMON, eval_strategy: 'steps' };
    expect(withDefaultEvaluation(bySteps, true)).toBe(bySteps);
  });

  test('let the best checkpoint be kept at once', () => {
    const best: TrainingArguments = { ...COMMON, load_best_model_at_end: true };
    expect(findConflict(best, true)?.kind).toBe('needs-evaluation');
    expect(findConflict(withDefaultEvaluation(best, true), true)).toBeUndefined();
  });

  test('give way to a rhythm of checkpoints that was chosen', () => {
    const bySteps: TrainingArguments = {
      ...{ ...COMMON, load_best_model_at_end: true },
      save_strategy: 'steps',
    };
    expect(withDefaultEvaluation(bySteps, true)).toBe(bySteps);
  });

  test('leave an earlier run its rhythm where it needs one, so that rows are asked for', () => {
    const best: TrainingArguments = {
      ...{ ...COMMON, load_best_model_at_end: true },
      eval_strategy: 'epoch',
    };
    expect(withDefaultEvaluation(best, false)).toBe(best);
    expect(findConflict(best, false)?.kind).toBe('nothing-held-back');
  });

  test('make no contradiction of their own', () => {
    const random = new Xoshiro128(11);
    const pick = <Value>(values: readonly Value[]): Value =>
      values[random.nextBelow(values.length)];
    let changed = 0;
    for (let round = 0; round < 4000; round++) {
      const args: TrainingArguments = {
        ...COMMON,
        eval_strategy: pick(['no', 'no', 'steps', 'epoch'] as const),
        eval_steps: pick([null, 3, 10]),
        eval_on_start: pick([true, false]),
        logging_steps: pick([1, 7, 10]),
        save_strategy: pick(['no', 'steps', 'epoch', 'best'] as const),
        save_steps: pick([10, 14, 25]),
        load_best_model_at_end: pick([true, false]),
        early_stopping_patience: pick([null, 2]),
        lr_scheduler_type: pick(['linear', 'polynomial'] as const),
        learning_rate: pick([1e-9, 2e-4]),
      };
      const heldBack = pick([true, false]);
      const found = withDefaultEvaluation(args, heldBack);
      if (!findConflict(args, heldBack)) expect(findConflict(found, heldBack)).toBeUndefined();
      if (found !== args) changed++;
      expect({ ...found, eval_strategy: args.eval_strategy }).toEqual(args);
    }
    expect(changed).toBeGreaterThan(500);
  });
});
