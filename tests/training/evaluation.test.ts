/** Evaluation in the middle of a run: the Trainer's number at the Trainer's moments, and no trace in the bits. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPeftConfig, type JsonObject, type TrainingArguments } from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { evaluateLoss, Trainer, type LogEntry } from '$lib/training';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { arguments_, LORA, makeRows, storedRun } from './stored-run';

const ROWS = makeRows(10);
/** One row of the seven has no target, and the last batch is short. */
const EVAL_ROWS = makeRows(7, 3).map((row, i) =>
  i === 2 ? { ...row, labels: row.labels.map(() => -100) } : row,
);

describe('evaluation in a run', () => {
  let gpu: Gpu;
  let golden: Awaited<ReturnType<typeof openGolden>>;
  let weights: ModelWeights;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    golden = await openGolden('llama-tied');
    weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
  });
  afterAll(() => gpu.dispose());

  const inputOf = (changes: Partial<TrainingArguments>, evalRows = EVAL_ROWS) => ({
    gpu,
    config: golden.config,
    weights,
    args: arguments_({ per_device_eval_batch_size: 3, ...changes }),
    rows: ROWS,
    evalRows,
  });
  const kinds = (history: readonly LogEntry[]) =>
    history.map((entry) => `${'loss' in entry ? 'loss' : 'eval'} ${entry.step}`);
  const train = async (changes: Partial<TrainingArguments>, evalRows = EVAL_ROWS) => {
    const trainer = await Trainer.create({ ...inputOf(changes, evalRows), peft: LORA });
    await trainer.run();
    const { state, values } = await trainer.checkpoint();
    trainer.dispose();
    return { state, values };
  };

  it('averages the means of batches by their rows, as evaluation_loop does', async () => {
    const args = inputOf({ eval_strategy: 'steps', eval_steps: 100, max_steps: 3 });
    const trainer = await Trainer.create({ ...args, peft: LORA });
    await trainer.run();
    const { config } = golden;
    const shared = { gpu, config, weights, adapter: trainer.adapter, batchSize: 8 };
    let sum = 0;
    for (const rows of [EVAL_ROWS.slice(0, 3), EVAL_ROWS.slice(3, 6), EVAL_ROWS.slice(6)])
      sum += rows.length * (await evaluateLoss({ ...shared, rows })).loss;
    const whole = await evaluateLoss({ ...shared, rows: EVAL_ROWS });
    const all = whole.loss;
    const [found] = trainer.trainerState.log_history.filter((entry) => 'eval_loss' in entry);
    trainer.dispose();
    expect(found).toEqual({
      epoch: 1,
      eval_loss: expect.closeTo(sum / 7, 6),
      // A count by a count: not the mean over batches, and the same bits.
      eval_mean_token_accuracy: whole.meanTokenAccuracy,
      step: 3,
    });
    // The mean over all targets, which `evaluate` reports, is another number.
    expect(Math.abs(sum / 7 - all)).toBeGreaterThan(1e-4);
  });

  it.each<[string, JsonObject]>([
    ['DoRA', { use_dora: true, lora_dropout: 0.1 }],
    ['PiSSA', { init_lora_weights: 'pissa', r: 3 }],
    ['prefix tuning', { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 4 }],
    ['full tuning', { peft_type: 'FULL' }],
  ])('sees the parameters of its step, and leaves no trace, with %s', async (_title, settings) => {
    const peft = readPeftConfig(settings, 'test');
    const run = async (changes: Partial<TrainingArguments>) => {
      const input = inputOf({ max_steps: 3, per_device_eval_batch_size: 8, ...changes });
      const trainer = await Trainer.create({ ...input, peft });
      const losses: number[] = [];
      await trainer.run({ onEvaluate: ({ eval_loss }) => losses.push(eval_loss) });
      const { config } = golden;
      const shared = { gpu, config, weights, adapter: trainer.adapter, batchSize: 8 };
      const { loss } = await evaluateLoss({ ...shared, rows: EVAL_ROWS });
      const { values } = await trainer.checkpoint();
      trainer.dispose();
      return { losses, loss, values };
    };
    const found = await run({ eval_strategy: 'steps', eval_steps: 1 });
    expect(found.losses).toHaveLength(3);
    // One batch: the mean over its targets is the mean over all.
    expect(Math.abs(found.losses[2] - found.loss)).toBeLessThan(1e-6);
    expect((await run({})).values).toEqual(found.values);
  });

  it.each<[string, Partial<TrainingArguments>, string[]]>([
    // Ten rows make three steps an epoch.
    [
      'every eval_steps and at the end',
      { eval_strategy: 'steps', eval_steps: 4 },
      ['loss 2', 'loss 4', 'eval 4', 'loss 6', 'loss 8', 'eval 8', 'eval 9'],
    ],
    [
      'every logging_steps where eval_steps is left out',
      { eval_strategy: 'steps', logging_steps: 6, max_steps: 6 },
      ['loss 6', 'eval 6'],
    ],
    [
      'a share of all steps',
      { eval_strategy: 'steps', eval_steps: 0.3, logging_steps: 0.5, max_steps: 6 },
      ['eval 2', 'loss 3', 'eval 4', 'loss 6', 'eval 6'],
    ],
    [
      'at each epoch and, in mid-epoch, at the end',
      { eval_strategy: 'epoch', logging_strategy: 'epoch', max_steps: 7 },
      ['loss 3', 'eval 3', 'loss 6', 'eval 6', 'loss 7', 'eval 7'],
    ],
    [
      'before the first step',
      { eval_on_start: true, logging_strategy: 'no', logging_first_step: true },
      ['eval 0', 'loss 1'],
    ],
    // What is due by epochs comes after all that is due by steps.
    [
      'by steps before an epoch logs, but for the first step',
      {
        ...{ eval_strategy: 'steps', eval_steps: 1, max_steps: 4 },
        ...{ logging_strategy: 'epoch', logging_first_step: true },
      },
      ['loss 1', 'eval 1', 'eval 2', 'eval 3', 'loss 3', 'eval 4', 'loss 4'],
    ],
    ['never', { logging_strategy: 'no' }, []],
  ])('happens %s', async (_title, changes, expected) => {
    const { state } = await train(changes);
    expect(kinds(state.log_history)).toEqual(expected);
    for (const entry of state.log_history)
      expect(Object.keys(entry)).toEqual(
        'loss' in entry
          ? ['epoch', 'grad_norm', 'learning_rate', 'loss', 'step']
          : ['epoch', 'eval_loss', 'eval_mean_token_accuracy', 'step'],
      );
  });

  it('leaves the bits of training as they are, longer rows and larger batches included', async () => {
    const long = makeRows(20, 1).map((row, i) =>
      i === 0 ? { inputIds: new Int32Array(60).fill(3), labels: new Int32Array(60).fill(4) } : row,
    );
    const without = await train({});
    const every = { eval_strategy: 'steps', eval_steps: 1, eval_on_start: true } as const;
    const with_ = await train({ ...every, per_device_eval_batch_size: 20 }, long);
    expect(with_.values).toEqual(without.values);
    expect(kinds(with_.state.log_history)).toHaveLength(4 + 10);
    const onlyLosses = with_.state.log_history.filter((entry) => 'loss' in entry);
    expect(onlyLosses).toEqual(without.state.log_history);
  });

  it.each<[string, Partial<TrainingArguments>, number[]]>([
    ['it short', { eval_steps: 2 }, [2, 4, 9]],
    // The log of the epoch is still to be written, from the losses that the checkpoint has kept.
    ['it and a log short', { eval_steps: 3, logging_strategy: 'epoch' }, [3, 6, 9]],
  ])('is taken up by a resumed run where a stop cut %s', async (_title, changes, steps) => {
    const input = inputOf({ eval_strategy: 'steps', per_device_eval_batch_size: 1, ...changes });
    const whole = await storedRun(input);
    for (const at of steps)
      expect(
        (await storedRun(input, { at, how: 'stopped in evaluation' })).files,
        `stopped in the evaluation of step ${at}`,
      ).toEqual(whole.files);
  });

  it('needs rows, and says so; gives its memory back', async () => {
    const baseline = gpu.liveCount;
    const create = (changes: Partial<TrainingArguments>, evalRows = EVAL_ROWS) =>
      Trainer.create({ ...inputOf(changes, evalRows), peft: LORA });
    await expect(create({ eval_strategy: 'epoch' }, [])).rejects.toMatchObject({
      code: 'no-eval-rows',
    });
    const bad = [{ inputIds: Int32Array.of(1, 9999), labels: Int32Array.of(1, 2) }];
    await expect(create({ eval_strategy: 'epoch' }, bad)).rejects.toThrow(/token 9999/);
    await expect(create({ load_best_model_at_end: true })).rejects.toThrow(
      /load_best_model_at_end needs an eval_strategy/,
    );
    (await create({ eval_strategy: 'epoch' })).dispose();
    (await create({ eval_strategy: 'no' }, [])).dispose();
    await gpu.idle();
    expect(gpu.liveCount).toBe(baseline);
  });
});
