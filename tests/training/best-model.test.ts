/** The best checkpoint, early stopping and the end of a run, also of one that was stopped or killed on the way. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvaluationArguments, TrainingArguments } from '$lib/config';
import { bestMetricOf, readTrainingArguments } from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { surplusCheckpoints, type TrainerState } from '$lib/training';
import {
  checkpointName,
  checkpointStep,
  isOutOfPatience,
  withEvaluation,
  withSavedCheckpoint,
} from '$lib/training/best-model';
import { emptyTrainerState } from '$lib/training/trainer-state';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { arguments_, HASTY, makeEasyRows, makeRows, storedRun } from './stored-run';

const best = { eval_strategy: 'steps', eval_steps: 1, save_steps: 1 } as const;

/** States after each of the losses, one evaluation a step; the accuracy is a tenth of the loss. */
function follow(losses: readonly number[], changes: Partial<EvaluationArguments>) {
  const args = arguments_({ ...best, save_strategy: 'steps', ...changes });
  let state: TrainerState = emptyTrainerState(args, 100, 10);
  return losses.map((loss, i) => {
    state = { ...state, global_step: i + 1 };
    const metrics = { eval_loss: loss, eval_mean_token_accuracy: loss / 10 };
    const after = withEvaluation(state, metrics, args);
    state = after.state;
    const early = state.stateful_callbacks.EarlyStoppingCallback;
    return {
      best: state.best_global_step,
      metric: state.best_metric,
      isBest: after.isBest,
      count: early?.attributes.early_stopping_patience_counter,
      stops: isOutOfPatience(state),
    };
  });
}

describe('the best metric', () => {
  it('is the lowest loss, the first of equals, and has its step where checkpoints are saved', () => {
    const found = follow([3, 2, 2, 2.5, 1], { metric_for_best_model: 'loss' });
    expect(found.map(({ best }) => best)).toEqual([1, 2, 2, 2, 5]);
    expect(found.map(({ isBest }) => isBest)).toEqual([true, true, false, false, true]);
    const unsaved = follow([3, 2], { metric_for_best_model: 'loss', save_strategy: 'no' });
    expect(unsaved.at(-1)).toMatchObject({ best: null, metric: 2 });
  });

  it('is not followed unless something asks for it; greater_is_better turns it around', () => {
    expect(follow([3, 2], {}).at(-1)).toMatchObject({ best: null, metric: null });
    const turned = { metric_for_best_model: 'eval_loss', greater_is_better: true } as const;
    expect(follow([3, 2, 4], turned).at(-1)).toMatchObject({ best: 3, metric: 4 });
  });

  it.each(['mean_token_accuracy', 'eval_mean_token_accuracy'] as const)(
    'is the highest %s, the first of equals, unless greater_is_better is false',
    (metric_for_best_model) => {
      const found = follow([3, 5, 5, 4, 6, 2], { metric_for_best_model });
      expect(found.map(({ best }) => best)).toEqual([1, 2, 2, 2, 5, 5]);
      expect(found.map(({ metric }) => metric)).toEqual([0.3, 0.5, 0.5, 0.5, 0.6, 0.6]);
      const turned = { metric_for_best_model, greater_is_better: false };
      expect(follow([3, 5, 5, 4, 6, 2], turned).at(-1)).toMatchObject({ best: 6, metric: 0.2 });
      const patient = { metric_for_best_model, early_stopping_patience: 2 };
      expect(follow([3, 5, 5, 4, 6, 2], patient).map(({ count }) => count)).toEqual([
        ...[0, 0, 1, 2, 0, 1],
      ]);
      const strict = follow([3, 5, 5.4, 6], { ...patient, early_stopping_threshold: 0.05 });
      expect(strict.map(({ count }) => count)).toEqual([0, 0, 1, 0]);
    },
  );

  it('has the direction that its name says where nothing else does, as the Trainer fills it in', () => {
    const wayOf = (settings: object) =>
      bestMetricOf(readTrainingArguments({ ...settings, eval_strategy: 'epoch' }, 'config.json'));
    expect(wayOf({})).toEqual({ name: 'eval_loss', greaterIsBetter: false });
    for (const prefix of ['', 'eval_']) {
      expect(wayOf({ metric_for_best_model: `${prefix}loss` })).toEqual(wayOf({}));
      const accuracy = { metric_for_best_model: `${prefix}mean_token_accuracy` };
      const name = 'eval_mean_token_accuracy';
      expect(wayOf(accuracy)).toEqual({ name, greaterIsBetter: true });
      expect(wayOf({ ...accuracy, greater_is_better: false })).toEqual({
        ...{ name, greaterIsBetter: false },
      });
    }
  });

  it('is out of patience after so many evaluations in a row that are not better by the threshold', () => {
    const found = follow([3, 2.95, 2.5, 2.45, 2.44, 2.43], {
      early_stopping_patience: 3,
      early_stopping_threshold: 0.1,
    });
    // 2.95 is the best so far, yet no improvement; each is held against the best, not against the last.
    expect(found.map(({ count }) => count)).toEqual([0, 1, 0, 1, 2, 3]);
    expect(found.map(({ stops }) => stops)).toEqual([false, false, false, false, false, true]);
    expect(found.at(-1)).toMatchObject({ best: 6, metric: 2.43 });
    expect(follow([1, 2], { early_stopping_patience: 1 }).at(-1)!.stops).toBe(true);
  });

  it('names the best checkpoint only when there is one', () => {
    const args = arguments_({ ...best, save_strategy: 'steps' });
    const state = { ...emptyTrainerState(args, 100, 10), global_step: 8, best_global_step: 6 };
    const name = (isSaved: boolean) =>
      withSavedCheckpoint(state, () => isSaved, 'out/').best_model_checkpoint;
    expect([name(true), name(false)]).toEqual(['out/checkpoint-6', null]);
    const here = { ...state, best_global_step: 8 };
    expect(withSavedCheckpoint(here, () => false).best_model_checkpoint).toBe('checkpoint-8');
    expect(checkpointStep(checkpointName(12, 'a/b'))).toBe(12);
    expect(checkpointStep('')).toBeUndefined();
  });

  it('spares the best checkpoint when old ones go', () => {
    expect(surplusCheckpoints([1, 2, 3, 4], 4, 2, 1)).toEqual([2, 3]);
    expect(surplusCheckpoints([1, 2, 3, 4], 4, 1, 1)).toEqual([2, 3]);
    expect(surplusCheckpoints([1, 2, 3, 4], 4, 2, 4)).toEqual([1, 2]);
  });
});

describe('arguments that contradict each other', () => {
  const read = (settings: object) => readTrainingArguments({ ...settings }, 'config.json');
  it.each([
    [{ load_best_model_at_end: true }, /load_best_model_at_end needs an eval_strategy/],
    [{ early_stopping_patience: 2 }, /early_stopping_patience needs an eval_strategy/],
    [{ save_strategy: 'best' }, /save_strategy best needs an eval_strategy/],
    [
      { load_best_model_at_end: true, eval_strategy: 'epoch' },
      /save_strategy \(steps\) to be best or the same as eval_strategy \(epoch\)/,
    ],
    [
      { load_best_model_at_end: true, eval_strategy: 'steps', eval_steps: 3, save_steps: 4 },
      /save_steps \(4\) to be a multiple of eval_steps \(3\)/,
    ],
    [
      { load_best_model_at_end: true, eval_strategy: 'steps', eval_steps: 0.1, save_steps: 4 },
      /multiple of eval_steps \(0.1\)/,
    ],
    [{ metric_for_best_model: 'accuracy' }, /metric_for_best_model is "accuracy", one of loss/],
    [{ early_stopping_patience: 0 }, /early_stopping_patience is 0/],
    [{ logging_steps: 1.5 }, /logging_steps is 1.5, a whole number from 1, or a share/],
    [{ eval_strategy: 'sometimes' }, /eval_strategy is "sometimes"/],
  ])('are refused by name: %j', (settings, message) =>
    expect(() => read(settings)).toThrow(message),
  );

  it('and those that do not pass', () => {
    const steps = { load_best_model_at_end: true, eval_strategy: 'steps' };
    expect(read({ ...steps, eval_steps: 2, save_steps: 4 }).save_steps).toBe(4);
    expect(read({ ...steps, eval_steps: 0.1, save_steps: 0.3 }).eval_steps).toBe(0.1);
    expect(read({ ...steps, save_strategy: 'best', save_steps: 3 }).save_strategy).toBe('best');
  });
});

describe('the end of a run', () => {
  let gpu: Gpu;
  let golden: Awaited<ReturnType<typeof openGolden>>;
  let weights: ModelWeights;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    golden = await openGolden('llama-tied');
    weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
  });
  afterAll(() => gpu.dispose());

  const inputOf = (changes: Partial<TrainingArguments>) => ({
    gpu,
    config: golden.config,
    weights,
    args: arguments_({ lr_scheduler_type: 'constant', logging_steps: 1, ...changes }),
    rows: makeRows(10),
    // Their loss is lowest after the fourth of nine steps.
    evalRows: makeRows(6, 3),
  });
  /** Their accuracy is highest after the eighth of nine steps, their loss lowest after the last. */
  const easyInput = (changes: Partial<TrainingArguments>) => ({
    ...inputOf({ ...changes, learning_rate: HASTY }),
    ...{ rows: makeEasyRows(10), evalRows: makeEasyRows(6, 3) },
  });
  const evalLosses = ({ state }: { state: TrainerState }) =>
    state.log_history.flatMap((entry) => ('eval_loss' in entry ? [entry] : []));

  it.each([
    ['steps', { save_strategy: 'steps', save_steps: 2, eval_strategy: 'steps', eval_steps: 1 }],
    ['epoch', { save_strategy: 'epoch', eval_strategy: 'epoch' }],
    ['best', { save_strategy: 'best', eval_strategy: 'steps', eval_steps: 1 }],
  ] as const)(
    'with load_best_model_at_end is the best checkpoint: save_strategy %s',
    async (_title, changes) => {
      const found = await storedRun(inputOf({ ...changes, load_best_model_at_end: true }));
      const losses = evalLosses(found);
      const lowest = losses.reduce((low, entry) => (entry.eval_loss < low.eval_loss ? entry : low));
      expect(found.state).toMatchObject({
        best_metric: lowest.eval_loss,
        best_global_step: lowest.step,
        global_step: 9,
      });
      const name = found.state.best_model_checkpoint;
      if (found.checkpoints.has(lowest.step)) expect(name).toBe(`checkpoint-${lowest.step}`);
      const step = checkpointStep(name!)!;
      expect(step).toBeLessThan(9);
      expect(found.values).toEqual(found.checkpoints.get(step));
      expect(found.values).not.toEqual(found.checkpoints.get(9));
    },
  );

  it('is the checkpoint of the highest token accuracy where that counts, which is not the lowest loss', async () => {
    const metric = { metric_for_best_model: 'mean_token_accuracy' } as const;
    const every = { eval_strategy: 'steps', eval_steps: 1, load_best_model_at_end: true } as const;
    const found = await storedRun(easyInput({ ...every, save_strategy: 'best', ...metric }));
    const evals = evalLosses(found);
    const accuracies = evals.map((entry) => entry.eval_mean_token_accuracy!);
    const highest = Math.max(...accuracies);
    const best = evals[accuracies.indexOf(highest)];
    expect(highest).toBeGreaterThan(0.05);
    expect(best.step).toBeLessThan(9);
    expect(found.state).toMatchObject({ best_metric: highest, best_global_step: best.step });
    expect(found.state.best_model_checkpoint).toBe(`checkpoint-${best.step}`);
    expect(found.values).toEqual(found.checkpoints.get(best.step));
    const byLoss = await storedRun(easyInput({ ...every, save_strategy: 'best' }));
    expect(evalLosses(byLoss)).toEqual(evals);
    expect(byLoss.state.best_global_step).not.toBe(best.step);
    const turned = await storedRun(
      easyInput({ ...every, save_strategy: 'best', ...metric, greater_is_better: false }),
    );
    expect(turned.state.best_metric).toBe(Math.min(...accuracies));
  });

  it('without it is the last step', async () => {
    const found = await storedRun(inputOf({ eval_strategy: 'epoch', save_strategy: 'epoch' }));
    expect([...found.checkpoints.keys()]).toEqual([3, 6, 9]);
    expect(found.values).toEqual(found.checkpoints.get(9));
  });

  it('comes early when no evaluation is better for so long, and leaves a checkpoint', async () => {
    const found = await storedRun(
      inputOf({
        eval_strategy: 'steps',
        eval_steps: 1,
        save_strategy: 'best',
        early_stopping_patience: 3,
        load_best_model_at_end: true,
        logging_strategy: 'epoch',
      }),
    );
    const last = found.state.global_step;
    expect(last).toBeLessThan(9);
    expect(last).toBe(found.state.best_global_step! + 3);
    expect(found.checkpoints.has(last)).toBe(true);
    expect(found.values).toEqual(found.checkpoints.get(found.state.best_global_step!));
    // The epoch that it ends is logged, after the evaluation that ended it.
    expect(Object.keys(found.state.log_history.at(-1)!)).toContain('loss');
    expect(found.state.stateful_callbacks.TrainerControl.args.should_training_stop).toBe(true);
  });

  it('is the same for a run that was stopped or killed anywhere', async () => {
    const changes: Partial<TrainingArguments>[] = [
      { eval_strategy: 'steps', eval_steps: 1, save_strategy: 'best', early_stopping_patience: 3 },
      { eval_strategy: 'epoch', save_strategy: 'epoch', load_best_model_at_end: true },
      {
        ...{ eval_strategy: 'steps', eval_steps: 1, save_strategy: 'steps', save_steps: 2 },
        ...{ load_best_model_at_end: true, early_stopping_patience: 3 },
      },
      {
        ...{ eval_strategy: 'steps', eval_steps: 1, save_strategy: 'best' },
        ...{ metric_for_best_model: 'mean_token_accuracy', early_stopping_patience: 3 },
      },
    ];
    for (const each of changes) {
      const inputFor = each.metric_for_best_model ? easyInput : inputOf;
      const input = inputFor({ ...each, load_best_model_at_end: true });
      const { files, checkpoints } = await storedRun(input);
      for (const how of ['stopped', 'killed', 'stopped in evaluation'] as const)
        for (const at of [1, 4, 6, 8]) {
          const found = await storedRun(input, { at, how });
          const where = `${JSON.stringify(each)}, ${how} at ${at}`;
          expect(found.files, where).toEqual(files);
          expect(found.checkpoints, where).toEqual(checkpoints);
        }
    }
  });
});
