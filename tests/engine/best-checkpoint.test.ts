/** A run of the engine that evaluates itself: events, the best checkpoint as its adapter, an early end. */
import type { Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createEngine } from '$lib/engine';
import type { EngineApi, RunSummary, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { bestCheckpointOf, earlyEndOf } from '$lib/state/run-end';
import { evalPointsOf } from '$lib/state/run-points';
import { MemoryFiles, MemoryTables } from '$lib/storage';
import { testEntry } from '../dawn';
import { alpaca, baseUrlOf, requestOf, ROWS, serveBundled, silent, takePeft } from './harness';

const gpu = testEntry();

/** The loss falls, so that the first evaluation is the best where greater is better. */
const UPSIDE_DOWN: Partial<TrainRequest['training']> = {
  ...{ eval_strategy: 'steps', eval_steps: 1, save_steps: 1, load_best_model_at_end: true },
  ...{ metric_for_best_model: 'loss', greater_is_better: true, warmup_ratio: 0 },
};

describe('a run that evaluates itself', () => {
  let server: Server;
  let engine: EngineApi;
  beforeAll(async () => {
    server = await serveBundled();
  });
  afterAll(() => void server.close());
  beforeEach(() => {
    const stores = { files: new MemoryFiles(), tables: new MemoryTables() };
    engine = createEngine({ ...stores, gpu, baseUrl: baseUrlOf(server) });
  });

  const train = async (changes: Partial<TrainRequest['training']>, evalShare = 0.25) => {
    const { dataset } = await engine.importDataset({ file: alpaca(ROWS) }, silent());
    const request = requestOf(dataset!.id, { evalShare });
    const training = { ...request.training, ...changes };
    const events: TrainEvent[] = [];
    const progress = (event: TrainEvent) => void events.push(event);
    const run = await engine.train({ ...request, training }, { ...silent(), progress });
    return { run, events };
  };

  const accuraciesOf = ({ log }: RunSummary) =>
    log.flatMap((entry) => ('eval_loss' in entry ? [entry.eval_mean_token_accuracy!] : []));

  it('tells each loss of the rows held back, and ends with the best checkpoint', async () => {
    const { run, events } = await train({ ...UPSIDE_DOWN, save_total_limit: 1 });
    const evaluated = events.flatMap((event) => (event.kind === 'evaluation' ? [event] : []));
    expect(evaluated.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    const losses = evaluated.map(({ evalLoss }) => evalLoss);
    expect([...losses].sort((a, b) => b - a)).toEqual(losses);
    // The record keeps them between the steps, as the Trainer's log_history does.
    expect(run.log.flatMap((entry) => ('eval_loss' in entry ? [entry.eval_loss] : []))).toEqual(
      losses,
    );
    expect(accuraciesOf(run)).toEqual(evaluated.map(({ tokenAccuracy }) => tokenAccuracy));
    expect(run.log.map(({ step }) => step)).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
    // The newest, to go on from, and the best.
    expect(run.checkpoints.map(({ step }) => step)).toEqual([1, 4]);
    expect(run).toMatchObject({ status: 'finished', step: 4, bestStep: 1 });
    expect(run.adapterId).toMatch(/-step-1$/);
    const weights = async (id: string) =>
      (await takePeft(engine, id)).get('adapter_model.safetensors');
    const best = await weights(run.adapterId!);
    expect(await weights(run.id.replace('run-', 'adapter-'))).toEqual(best);
    expect(await weights(run.adapterId!.replace('step-1', 'step-4'))).not.toEqual(best);
    // Freeing space and deleting the run spare it.
    await engine.freeStorage(undefined, silent());
    await engine.deleteRun({ runId: run.id, keepAdapter: true }, silent());
    expect(await weights(run.adapterId!)).toEqual(best);
  });

  it('is the one of the highest token accuracy, where that is the metric', async () => {
    const { run } = await train({
      ...{ ...UPSIDE_DOWN, greater_is_better: null, learning_rate: 0.02 },
      metric_for_best_model: 'eval_mean_token_accuracy',
    });
    const accuracies = accuraciesOf(run);
    expect(new Set(accuracies).size).toBeGreaterThan(1);
    expect(run.bestStep).toBe(1 + accuracies.indexOf(Math.max(...accuracies)));
    expect(run.adapterId).toMatch(new RegExp(`-step-${run.bestStep}$|^adapter-[^-]*$`));
  });

  it('is finished when it stops early', async () => {
    const { run } = await train({ ...UPSIDE_DOWN, early_stopping_patience: 2 });
    expect(run).toMatchObject({ status: 'finished', step: 3, totalSteps: 4, bestStep: 1 });
    // As the page reads its record.
    expect(earlyEndOf(run)).toEqual({ step: 3, totalSteps: 4, patience: 2 });
    const [first] = evalPointsOf(run.log);
    const best = { step: 1, adapterId: run.adapterId, metric: 'eval_loss', value: first.evalLoss };
    expect(bestCheckpointOf(run)).toEqual(best);
    const plain = await train({ eval_strategy: 'no' });
    expect(plain.run).toMatchObject({ status: 'finished', step: 4 });
    expect(plain.run.bestStep).toBeUndefined();
    expect([earlyEndOf(plain.run), bestCheckpointOf(plain.run)]).toEqual([undefined, undefined]);
  });

  it('needs rows to evaluate on', async () => {
    await expect(train(UPSIDE_DOWN, 0)).rejects.toMatchObject({ code: 'no-eval-rows' });
  });
});
