/**
 * Runs of transformers' Trainer with arguments beyond the plain ones: smoothed labels, evaluation, the best
 * checkpoint, early stopping, a second round, what is logged when. Step by step, evaluation by evaluation, file by file.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '$lib/config';
import type { Gpu } from '$lib/gpu';
import { summarize, type LogEntry, type TrainerState } from '$lib/training';
import { requestTestGpu } from '../dawn';
import { readJson, relativeL2 } from '../goldens';
import { goldenRun, type GoldenRun } from './golden-run';

/** As in goldens.test.ts: sums in another order than torch's, through up to 24 steps of Adam. */
const STEP = 2e-4;
const FINAL = 3e-4;
/** A moment beside the middle of two codes becomes the other one in float64 too, which moves the end by 1.2e-4. */
const FINAL_8BIT = 1e-3;

describe('arguments against the Trainer', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const expectClose = (found: number, expected: number, where: string) =>
    expect(Math.abs(found / expected - 1), where).toBeLessThan(STEP);

  const expectRun = ({ expected, steps, evaluations, ...run }: GoldenRun, limit = FINAL) => {
    expect(steps.map(({ step }) => step)).toEqual(expected.steps.map(({ step }) => step));
    expected.steps.forEach((reference, index) => {
      const where = `step ${reference.step}`;
      const report = steps[index];
      expect(report.targetCount, where).toBe(reference.num_target_tokens);
      expectClose(report.loss, reference.loss, where);
      expectClose(report.grad_norm, reference.grad_norm, where);
      expect(report.learning_rate, where).toBeCloseTo(reference.learning_rate, 12);
    });
    const references = expected.evaluations ?? [];
    expect(evaluations.map(({ step }) => step)).toEqual(references.map(({ step }) => step));
    references.forEach(({ step, eval_loss, eval_mean_token_accuracy }, index) => {
      const where = `evaluation ${step}`;
      expectClose(evaluations[index].eval_loss, eval_loss, where);
      // A count by a count: the same number.
      if (eval_mean_token_accuracy !== undefined)
        expect(evaluations[index], where).toMatchObject({ eval_mean_token_accuracy });
    });
    for (const { key, offset, count } of run.parameters) {
      const slice = (values: Float32Array) => values.subarray(offset, offset + count);
      expect(relativeL2(slice(run.final), slice(run.expectedFinal)), key).toBeLessThan(limit);
    }
  };

  /** Entry by entry in their order: measured numbers within the tolerance, the others as they are printed. */
  const expectHistory = (found: readonly LogEntry[], reference: readonly LogEntry[]) => {
    const measured = ['loss', 'grad_norm', 'eval_loss', 'train_loss'];
    const number = expect.any(Number) as number;
    const like = (key: string, value: number) =>
      key === 'learning_rate' ? (expect.closeTo(value, 12) as number) : value;
    const history = reference.map((entry) => ({
      ...Object.fromEntries(
        Object.entries(entry as unknown as Record<string, number>).map(([key, value]) => [
          key,
          measured.includes(key) ? number : like(key, value),
        ]),
      ),
      // TRL's, which the Trainer alone does not log: token-accuracy.test.ts.
      ...('eval_loss' in entry &&
        !('eval_mean_token_accuracy' in entry) && { eval_mean_token_accuracy: number }),
    }));
    expect(found).toEqual(history);
    reference.forEach((entry, index) => {
      const values = found[index] as unknown as Record<string, number>;
      for (const [key, value] of Object.entries(entry as unknown as Record<string, number>))
        if (measured.includes(key)) expectClose(values[key], value, `${key} of ${entry.step}`);
    });
  };

  /** Every field of the file. */
  const expectState = (found: TrainerState, folder: string) => {
    const reference = readJson<TrainerState>(`${folder}/trainer_state.json`);
    expectHistory(found.log_history, reference.log_history);
    expect(found.best_metric === null).toBe(reference.best_metric === null);
    const { best_global_step, best_model_checkpoint, eval_steps, stateful_callbacks } = reference;
    const { epoch, global_step, max_steps, num_train_epochs, train_batch_size } = reference;
    const { logging_steps } = reference;
    expect(found).toMatchObject({
      ...{ best_global_step, best_model_checkpoint, eval_steps, stateful_callbacks },
      ...{ epoch, global_step, max_steps, num_train_epochs, train_batch_size, logging_steps },
    });
  };

  it.each([
    ...['label-smoothing', 'label-smoothing-accumulated', 'cosine-with-restarts', 'polynomial'],
    ...['group-by-length', 'neftune-run', 'packing', 'adamw-8bit-run'],
  ])('%s', async (name) => {
    const folder = `arguments/${name}`;
    const run = await goldenRun(gpu, folder);
    expectRun(run, name === 'adamw-8bit-run' ? FINAL_8BIT : FINAL);
    expectState(run.saves.at(-1)!.state, folder);
  });

  /** Controls: a run that does not do what the argument asks for is not taken for the golden's. */
  it.each<[string, JsonObject, RegExp]>([
    ['cosine-with-restarts', { lr_scheduler_kwargs: { num_cycles: 1 } }, /step 4/],
    ['polynomial', { lr_scheduler_kwargs: { lr_end: 1e-4, power: 1 } }, /step 3/],
    ['group-by-length', { seed: 12 }, /step 1/],
    ['neftune-run', { seed: 8 }, /step 1/],
    ['packing', { max_length: 49 }, /step 1/],
    ['adamw-8bit-run', { optim: 'adamw_torch' }, /step/],
  ])('%s with %j is another run', async (name, changes, where) => {
    const run = await goldenRun(gpu, `arguments/${name}`, changes);
    expect(() => expectRun(run, FINAL_8BIT)).toThrow(where);
  });

  const keepsTheBest = [
    ...['eval-best', 'eval-epoch', 'early-stopping', 'early-stopping-threshold', 'save-best'],
    'best-accuracy',
  ];
  it.each(keepsTheBest)('%s', async (name) => {
    const folder = `arguments/${name}`;
    const run = await goldenRun(gpu, folder);
    expectRun(run);
    const { saves: references = [], stopped_at_step } = run.expected;
    expect(run.steps.at(-1)!.step).toBe(stopped_at_step);
    const saves = [...run.saves];
    // The Trainer leaves nothing at the end of a run that saves the best alone; ours always does.
    if (name === 'save-best') expect(saves.pop()!.state.global_step).toBe(stopped_at_step);
    expectState(saves.at(-1)!.state, folder);
    expect(saves.map(({ checkpoints }) => checkpoints)).toEqual(
      references.map(({ checkpoints }) => checkpoints),
    );
    references.forEach((reference, index) => {
      const { step, best_metric, best_global_step, best_model_checkpoint } = reference;
      const { state } = saves[index];
      expect(state).toMatchObject({ global_step: step, best_global_step, best_model_checkpoint });
      expectClose(state.best_metric!, best_metric, `best metric at ${step}`);
    });
  });

  it('best-accuracy by the loss, or by the smaller, is another run', async () => {
    const folder = 'arguments/best-accuracy';
    const best = readJson<TrainerState>(`${folder}/trainer_state.json`).best_global_step!;
    for (const changes of [{ metric_for_best_model: 'eval_loss' }, { greater_is_better: false }]) {
      const run = await goldenRun(gpu, folder, { greater_is_better: null, ...changes });
      expect(run.state.best_global_step).not.toBe(best);
      expect(() => expectRun(run)).toThrow(/lora/);
    }
  });

  /** The Trainer's clocks, and operations that nobody here counts, are no part of the goldens or of this. */
  const expectEnd = ({ state, steps, expected }: GoldenRun) => {
    const losses = steps.map(({ loss }) => loss);
    const { log_history } = summarize(state, { losses, elapsedMs: 1 });
    const uncounted = ['total_flos', 'train_runtime', 'train_steps_per_second'];
    const counted = (entry: LogEntry) =>
      Object.fromEntries(Object.entries(entry).filter(([key]) => !uncounted.includes(key)));
    expectHistory(
      log_history.map((entry) => counted(entry) as unknown as LogEntry),
      expected.log_history!.map((entry) => counted(entry) as unknown as LogEntry),
    );
  };

  it.each(['logging-steps', 'logging-epoch', 'logging-epoch-eval-steps'])('%s', async (name) => {
    const folder = `arguments/${name}`;
    const run = await goldenRun(gpu, folder);
    expectRun(run);
    expectEnd(run);
    const { state } = run.saves.at(-1)!;
    expectState(state, folder);
  });

  /** Controls: what is logged at other steps, or over other windows, is not taken for the golden's. */
  it.each<[string, JsonObject]>([
    ['logging-steps', { logging_first_step: false }],
    ['logging-steps', { eval_on_start: false }],
    ['logging-steps', { logging_steps: 1 }],
    ['logging-epoch', { logging_strategy: 'steps', logging_steps: 4 }],
    ['logging-epoch-eval-steps', { logging_strategy: 'steps', logging_steps: 4 }],
  ])('%s with %j logs something else', async (name, changes) => {
    const run = await goldenRun(gpu, `arguments/${name}`, changes);
    expect(() => expectEnd(run)).toThrow();
  });

  it('a second round starts from the adapter of the first alone', async () => {
    const first = await goldenRun(gpu, 'arguments/second-round/first');
    expectRun(first);
    expectRun(await goldenRun(gpu, 'arguments/second-round/second'));
  });

  it('gradient_checkpointing changes no bit of a run', async () => {
    const plain = await goldenRun(gpu, 'arguments/label-smoothing');
    const again = await goldenRun(gpu, 'arguments/label-smoothing', {
      gradient_checkpointing: true,
    });
    expect(again.final).toEqual(plain.final);
    expect(again.evaluations.map((entry) => entry.eval_loss)).toEqual(
      plain.evaluations.map((entry) => entry.eval_loss),
    );
  });
});
