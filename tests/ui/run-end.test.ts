/**
 * Plan: what a record says of a run's end and of its settings. The best checkpoint with the figure that made it so, by
 * either metric, and none once it is deleted; an early end, and no other end that looks like one; both as sentences in
 * both languages; one sentence for the moment in which it is over, whichever way; the settings that are not the form's own, by name, and none for a run that changed nothing; a base in
 * four bits in the method's name.
 */
import { expect, test } from 'vitest';
import { COMMON_RECIPE, DEFAULT_IA3_CONFIG, FULL_TUNING } from '../../src/lib/config';
import { createFormat, DICTIONARIES } from '../../src/lib/i18n';
import type { RunSummary } from '../../src/lib/rpc/engine-api';
import { adapterMethodLine, runMethodLine, runMethodName } from '../../src/lib/state/method-line';
import { bestCheckpointOf, earlyEndOf } from '../../src/lib/state/run-end';
import { endSentence } from '../../src/lib/ui/train/end-sentence';
import { changedSettings } from '../../src/lib/state/run-settings';
import { lossAt, RUNS } from './stand-in/fixtures';

const [plain] = RUNS;
const { lora, training } = COMMON_RECIPE;
const METRIC = 'eval_mean_token_accuracy';

test('the best checkpoint has the figure that made it the best', () => {
  const run = { ...plain, bestStep: 80 };
  const checkpoint = { step: 80, adapterId: 'adapter-1-step-80' };
  expect(bestCheckpointOf(run)).toEqual({
    ...checkpoint,
    ...{ metric: 'eval_loss', value: lossAt(80) + 0.08 },
  });
  const byAccuracy = { ...run, training: { ...training, metric_for_best_model: METRIC } as const };
  expect(bestCheckpointOf(byAccuracy)).toEqual({ ...checkpoint, metric: METRIC, value: 0.9 });
  expect(bestCheckpointOf({ ...run, log: [] })).toEqual({ ...checkpoint, metric: 'eval_loss' });
});

test('there is no best checkpoint where none was asked for, or it is deleted', () => {
  expect(bestCheckpointOf(plain)).toBeUndefined();
  const rest = plain.checkpoints.filter(({ step }) => step !== 80);
  expect(bestCheckpointOf({ ...plain, bestStep: 80, checkpoints: rest })).toBeUndefined();
});

test('an early end is one of a finished run with steps left that was patient for so long', () => {
  const patient = { ...training, early_stopping_patience: 3 };
  const early: RunSummary = { ...plain, step: 60, training: patient };
  expect(earlyEndOf(early)).toEqual({ step: 60, totalSteps: 120, patience: 3 });
  for (const other of [
    { ...early, step: 120 },
    { ...early, status: 'stopped' as const },
    { ...early, training },
  ])
    expect(earlyEndOf(other)).toBeUndefined();
});

test('both are said in both languages, one evaluation as one', () => {
  const [en, zh] = [DICTIONARIES.en.train, DICTIONARIES['zh-CN'].train];
  expect(en.endedEarly(14, 24, 3)).toBe(
    'It ended early, at step 14 of 24: no better for 3 evaluations in a row.',
  );
  expect(en.endedEarly(14, 24, 1)).toMatch(/: the last evaluation was no better\.$/);
  expect(zh.endedEarly(14, 24, 3)).toBe(
    '在第 14 步提前结束（原定 24 步）：连续 3 次评测都没有变好。',
  );
  expect(zh.endedEarly(14, 24, 1)).toMatch(/：最后一次评测没有变好。$/);
  expect(en.endsWithBest(6, en.bestFigure.eval_loss('0.5'))).toBe(
    'It ends with its best checkpoint: step 6, evaluation loss 0.5.',
  );
  expect(en.endsWithBest(6, '')).toBe('It ends with its best checkpoint: step 6.');
  expect(zh.endsWithBest(6, zh.bestFigure[METRIC]('90%'))).toBe(
    '最终采用最佳检查点：第 6 步，词元准确率 90%。',
  );
});

test('settings that are not the form’s own are named as outside, and those told anyway are not', () => {
  const run: RunSummary = {
    ...plain,
    peft: { ...lora, r: 4, target_modules: ['q_proj'], exclude_modules: [] },
    training: {
      ...{ ...training, learning_rate: 1e-5, num_train_epochs: 9, load_in_4bit: true },
      ...{ lr_scheduler_type: 'cosine', neftune_noise_alpha: 5, eval_strategy: 'epoch' },
    },
  };
  expect(changedSettings(run)).toEqual([
    { name: 'target_modules', value: 'q_proj' },
    { name: 'lr_scheduler_type', value: 'cosine' },
    { name: 'neftune_noise_alpha', value: '5' },
  ]);
});

test('the moment in which a run is over is one sentence: how, how far, how long, and its figure', () => {
  const say = (run: RunSummary) =>
    (['en', 'zh-CN'] as const).map((locale) =>
      endSentence(run, DICTIONARIES[locale].train, createFormat(locale)),
    );
  const took = { elapsedMs: 93_000, log: [{ ...plain.log[0], step: 120, loss: 0.5123 } as const] };
  const ended = { ...plain, ...took };
  expect(say(ended)).toEqual([
    'Training is complete: 120 steps; it took 1 min 33 sec, last loss 0.5123.',
    '训练已完成，共 120 步，用时 1 分钟 33 秒，最后的损失是 0.5123。',
  ]);
  const evaluation = { step: 80, epoch: 2, eval_loss: 0.4 };
  const early: RunSummary = {
    ...{ ...ended, step: 100, bestStep: 80, log: [...took.log, evaluation] },
    training: { ...training, early_stopping_patience: 4 },
  };
  expect(say(early)).toEqual([
    'Training ended early, at step 100 of 120, because 4 evaluations in a row were no better; it took 1 min 33 sec, best checkpoint at step 80, evaluation loss 0.4000.',
    '训练在第 100 步提前结束（原定 120 步），因为连续 4 次评测都没有变好，用时 1 分钟 33 秒，最佳检查点是第 80 步，评测损失 0.4000。',
  ]);
  expect(say({ ...early, training: { ...early.training, early_stopping_patience: 1 } })[0]).toMatch(
    /because the last evaluation was no better;/,
  );
  const stopped: RunSummary = { ...ended, status: 'stopped', step: 57 };
  expect(say(stopped)).toEqual([
    'Training stopped at step 57 of 120 and was kept; it took 1 min 33 sec, last loss 0.5123.',
    '训练在第 57 步停止（原定 120 步），已保留，用时 1 分钟 33 秒，最后的损失是 0.5123。',
  ]);
  const [gone, goneZh] = say({ ...stopped, checkpoints: [] });
  expect(gone).toMatch(/stopped at step 57 of 120, and nothing of it was kept; it took/);
  expect(goneZh).toMatch(/没有保留任何结果/);
  expect(say({ ...stopped, status: 'failed', elapsedMs: 0, log: [] })).toEqual([
    'Training broke off at step 57 of 120.',
    '训练在第 57 步中断（原定 120 步）。',
  ]);
});

test('a run that changed nothing has no changed settings, whatever its method', () => {
  const usual: RunSummary['training'] = { ...training, eval_strategy: 'epoch' };
  for (const peft of [lora, DEFAULT_IA3_CONFIG, FULL_TUNING])
    expect(changedSettings({ ...plain, peft, training: usual })).toEqual([]);
  // Rows were held back and not looked at: that is not what the form does.
  expect(changedSettings(plain)).toEqual([{ name: 'eval_strategy', value: 'no' }]);
  const none = { ...plain, evalDatasetId: undefined, evalShare: 0 };
  expect(changedSettings(none)).toEqual([]);
});

test('LoRA on a base in four bits is QLoRA, and any other method says that its base is', () => {
  const names = { full: 'full', prefix: 'prefix', fourBit: '4-bit base' };
  const [on, off] = [true, false].map((load_in_4bit) => ({ ...training, load_in_4bit }));
  expect(runMethodLine({ peft: lora, training: on }, names)).toBe('QLoRA · r 16 · alpha 32');
  expect(runMethodLine({ peft: lora, training: off }, names)).toBe('LoRA · r 16 · alpha 32');
  expect(runMethodName({ peft: lora, training: on }, names)).toBe('QLoRA');
  const dora = { ...lora, use_dora: true };
  expect(runMethodLine({ peft: dora, training: on }, names)).toBe(
    'DoRA · r 16 · alpha 32 · 4-bit base',
  );
  expect(runMethodName({ peft: DEFAULT_IA3_CONFIG, training: on }, names)).toBe('IA3 · 4-bit base');
  // An adapter as its run is called; where nobody knows, as PEFT calls it.
  const sizes = ' · r 16 · alpha 32';
  expect(adapterMethodLine({ peft: lora, load_in_4bit: true }, names)).toBe(`QLoRA${sizes}`);
  expect(adapterMethodLine({ peft: lora, load_in_4bit: false }, names)).toBe(`LoRA${sizes}`);
  expect(adapterMethodLine({ peft: lora }, names)).toBe(`LoRA${sizes}`);
});
