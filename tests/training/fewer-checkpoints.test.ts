/**
 * Plan: where a run's checkpoints find no room, the largest save_total_limit that fits is found, for both peaks and
 * whatever is free, as trying one limit after the other finds it, told to the byte; with the best checkpoint kept
 * none below what is then kept anyway; undefined where even the fewest do not fit, and where only one is written.
 */
import { describe, expect, it } from 'vitest';
import { DEFAULT_LORA_CONFIG, readTrainingArguments, type TrainingArguments } from '$lib/config';
import { adaptedModel } from '$lib/decoder';
import { fittingLimit } from '$lib/state/fitting-limit';
import { predictStorage, runShape } from '$lib/training';
import { openGolden } from '../goldens';

const PEAKS = ['peak', 'peakWithResumePoint'] as const;

describe('the checkpoints that fit', async () => {
  const model = adaptedModel((await openGolden('llama-tied')).config);
  const storageOf = (args: TrainingArguments) =>
    predictStorage(DEFAULT_LORA_CONFIG, model, args, runShape(80, args));

  it.each([
    ['no limit', {}],
    ['a limit', { save_total_limit: 5 }],
    ['a limit beyond what is written', { save_total_limit: 50 }],
    ['the least limit', { save_total_limit: 1 }],
    ['the best is kept', { load_best_model_at_end: true, eval_strategy: 'steps', eval_steps: 1 }],
    ['a single checkpoint', { save_strategy: 'no' }],
  ] as const)('are as many as trying each limit finds: %s', (_, options) => {
    const steps = { save_strategy: 'steps', save_steps: 1, max_steps: 10 };
    const args = readTrainingArguments({ ...steps, ...options }, 'test');
    const storage = storageOf(args);
    const withLimit = (save_total_limit: number) => storageOf({ ...args, save_total_limit });
    const { keptBefore } = storage;
    for (const peak of PEAKS)
      for (let free = storage[peak] - 1; free > 0; free -= Math.ceil(storage.perCheckpoint / 3)) {
        const limits = Array.from({ length: keptBefore }, (_, i) => keptBefore - i);
        const largest = limits.find((limit) => withLimit(limit)[peak] <= free);
        const found = fittingLimit(storage, peak, free);
        expect(found?.save_total_limit, `${peak}, ${free} bytes`).toBe(largest);
        if (found) expect(found.peakBytes).toBe(withLimit(found.save_total_limit)[peak]);
      }
  });

  it('are none where even one finds no room; the control finds one', () => {
    const args = readTrainingArguments({ save_strategy: 'steps', save_steps: 1 }, 'test');
    const storage = storageOf(args);
    const { peak } = storageOf({ ...args, save_total_limit: 1 });
    expect(storage.peak).toBeGreaterThan(peak);
    const fits = { save_total_limit: 1, peakBytes: peak };
    expect(fittingLimit(storage, 'peak', peak)).toEqual(fits);
    expect(fittingLimit(storage, 'peak', peak - 1)).toBeUndefined();
    expect(fittingLimit(storage, 'peak', -1)).toBeUndefined();
  });
});
