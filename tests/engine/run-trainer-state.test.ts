/**
 * Plan: `trainer_state.json` of a run as a person saves it. Of one that ended, finished or stopped: the losses averaged
 * over `logging_steps`, whatever the record has of each step, the evaluations, and the Trainer's last entry, over all
 * steps, those before an interruption included. Of one that was interrupted: its newest checkpoint's, byte for byte.
 * Refused: a run without a checkpoint, and one whose file the browser has cleared.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { EngineApi, RunSummary, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import type { RunRecord } from '$lib/engine/run-library';
import { parseTrainerState } from '$lib/training';
import { refusalOf, startEngine } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

describe("a run's trainer_state.json", () => {
  const disk = new Disk();
  const engine: EngineApi = startEngine(disk, { gpu: new FailingGpu() });
  let modelId: string;
  let datasetId: string;
  beforeAll(async () => {
    modelId = await importSmallModel(engine);
    datasetId = await importTokenRows(engine);
  });

  const request = (training: Partial<TrainRequest['training']> = {}): TrainRequest => ({
    ...smallRun(modelId, datasetId, { max_steps: 7, logging_steps: 3, ...training }),
    evalShare: 0.2,
  });
  const read = async ({ id }: RunSummary) =>
    parseTrainerState(await engine.readTrainerState({ runId: id }, silent()));
  const lossesOf = ({ log }: RunSummary) =>
    log.flatMap((entry) => ('loss' in entry ? [entry.loss] : []));
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

  it('averages over logging_steps what the record has step by step, and ends as the Trainer does', async () => {
    const run = await engine.train(request({ eval_strategy: 'steps', eval_steps: 4 }), silent());
    const losses = lossesOf(run);
    expect(losses).toHaveLength(7);
    const { log_history, global_step } = await read(run);
    expect(global_step).toBe(7);
    const logged = log_history.flatMap((entry) => ('loss' in entry ? [entry] : []));
    // What is left over at the end is in the last entry alone, as the Trainer has it.
    expect(logged.map(({ step }) => step)).toEqual([3, 6]);
    expect(logged[0].loss).toBeCloseTo(mean(losses.slice(0, 3)), 12);
    expect(logged[1].loss).toBeCloseTo(mean(losses.slice(3, 6)), 12);
    const evaluated = log_history.filter((entry) => 'eval_loss' in entry);
    expect(evaluated.map(({ step }) => step)).toEqual([4, 7]);
    expect(log_history.at(-1)).toMatchObject({
      step: 7,
      train_loss: expect.closeTo(mean(losses), 12),
      train_runtime: expect.closeTo(run.elapsedMs / 1000, 3),
    });
  });

  it('has no mean losses where none are logged, and the last entry all the same', async () => {
    const run = await engine.train(request({ logging_strategy: 'no' }), silent());
    const { log_history } = await read(run);
    expect(log_history).toHaveLength(1);
    expect(log_history[0]).toMatchObject({ train_loss: expect.closeTo(mean(lossesOf(run)), 12) });
  });

  it('of a run that was stopped ends where it was stopped, and then counts all of its steps', async () => {
    const progress = (event: TrainEvent) => {
      if (event.kind === 'step' && event.step === 4)
        void engine.stopTraining({ keep: true }, silent());
    };
    const run = await engine.train(request(), { ...silent(), progress });
    expect(run.status).toBe('stopped');
    const { log_history, global_step, max_steps } = await read(run);
    expect([global_step, max_steps]).toEqual([run.step, 7]);
    const summaryOf = (of: RunSummary) => ({
      step: of.step,
      train_loss: expect.closeTo(mean(lossesOf(of)), 12),
    });
    expect(log_history.at(-1)).toMatchObject(summaryOf(run));

    const whole = await engine.train({ ...request(), resumeRunId: run.id }, silent());
    expect(whole.step).toBe(7);
    const after = (await read(whole)).log_history;
    expect(after.at(-1)).toMatchObject(summaryOf(whole));
    expect(after.filter((entry) => 'train_loss' in entry)).toHaveLength(1);
  });

  it('of one that was interrupted is its newest checkpoint’s, as it lies there', async () => {
    const run = await engine.train(
      request({ save_strategy: 'steps', save_steps: 2, save_total_limit: null }),
      silent(),
    );
    const [, second] = run.checkpoints;
    expect(second.step).toBe(4);
    for (const { step } of run.checkpoints.slice(2))
      await disk.files.remove(`runs/${run.id}/checkpoint-${step}`);
    await disk.tables.update<RunRecord>('runs', run.id, (found) => ({
      ...found!,
      ...{ status: 'interrupted', step: 5 },
    }));
    const text = await engine.readTrainerState({ runId: run.id }, silent());
    const path = `runs/${run.id}/checkpoint-4/trainer_state.json`;
    expect(text).toBe(await (await disk.files.readFile(path)).text());
    expect(text).not.toContain('train_loss');

    await disk.files.remove(path);
    expect((await refusalOf(engine.readTrainerState({ runId: run.id }, silent()))).code).toBe(
      'evicted',
    );
  });

  it('is refused before the first checkpoint', async () => {
    const run = await engine.train(request({ max_steps: 1 }), silent());
    await disk.files.remove(`runs/${run.id}/checkpoint-1`);
    const refusal = await refusalOf(engine.readTrainerState({ runId: run.id }, silent()));
    expect(refusal.code).toBe('not-found');
    expect(refusal.message).toContain('checkpoint');
  });
});
