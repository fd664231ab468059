/**
 * Plan: a run writes down what it is made of while that is there. When its data is deleted and another adapter
 * answers, its record and its card are the same; gone on with on another device, that one is added once and the
 * figures go on from where they were. What an older version did not write is not made up when its run goes on.
 * What a page asks for after a run that diverged goes through. The time left counts evaluations and answers that are still to come, as often as they will come.
 */
import { describe, expect, it } from 'vitest';
import { DEFAULT_TRAINING_ARGUMENTS, type TrainingArguments } from '$lib/config';
import { isSampleStep, SAMPLE_TIME_SHARE, TimeToCome } from '$lib/engine/time-to-come';
import type { RunSummary, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { makeRunCard } from '$lib/state/run-card';
import { meanSpeedOf } from '$lib/state/run-points';
import { slowerRequest, wayOn } from '$lib/state/ways-on';
import { runShape } from '$lib/training';
import { findRun, refusalOf, startEngine } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

describe('the record of a run', () => {
  const train = async (
    disk: Disk,
    request: TrainRequest,
    { description, dieAt }: { description?: string; dieAt?: number } = {},
  ): Promise<RunSummary> => {
    const gpu = new FailingGpu();
    gpu.description = description;
    const progress = (event: TrainEvent) => {
      if (event.kind === 'step' && event.step === dieAt) throw new Error('the tab is gone');
    };
    try {
      return await startEngine(disk, { gpu }).train(request, { ...silent(), progress });
    } finally {
      gpu.loseDevice();
    }
  };

  const prepare = async (): Promise<{ disk: Disk; request: TrainRequest }> => {
    const disk = new Disk();
    const engine = startEngine(disk);
    const modelId = await importSmallModel(engine);
    const datasetId = await importTokenRows(engine);
    const changes = { save_strategy: 'steps', save_steps: 2, eval_strategy: 'epoch' } as const;
    const evalDatasetId = await importTokenRows(engine);
    return { disk, request: { ...smallRun(modelId, datasetId, changes), evalDatasetId } };
  };

  /** As a page writes it, with what is on the device at this moment. */
  const cardOn = async (disk: Disk, run: RunSummary, description?: string) => {
    const gpu = new FailingGpu();
    gpu.description = description;
    const engine = startEngine(disk, { gpu });
    const datasets = await disk.tables.list<{ id: string; schemaVersion: number }>('datasets');
    const find = (id: string | undefined) => datasets.find((one) => one.id === id) as undefined;
    const card = makeRunCard((await engine.listRuns(undefined, silent()))[0], {
      model: undefined,
      dataset: find(run.datasetId),
      evalDataset: find(run.evalDatasetId),
      appVersion: '1',
    });
    gpu.loseDevice();
    return JSON.parse(JSON.stringify(card));
  };

  it('tells what it was made of when the data is gone and another adapter answers', async () => {
    const { disk, request } = await prepare();
    const run = await train(disk, request, { description: 'the first GPU' });
    const before = await cardOn(disk, run, 'the first GPU');
    expect(before.device).toMatchObject({ backend: 'webgpu', adapterName: 'the first GPU' });
    expect(before.data).toMatchObject({ name: 'rows', rowCount: 10, schema: 'tokenised' });
    expect(before.data.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(before.data.evaluation.sha256).toBe(before.data.sha256);
    expect(before.model).toMatchObject({ name: 'small', architecture: 'LlamaForCausalLM' });
    expect(before.figures.tokensPerSecond).toBeGreaterThan(0);
    expect(before.figures.peakGpuBytes).toBeGreaterThan(10_000);
    expect(before.figures.bestEvalLoss).toBeLessThanOrEqual(before.figures.lastEvalLoss);
    const speeds = run.log.flatMap((entry) =>
      'loss' in entry ? [entry.tokens_per_second ?? NaN] : [],
    );
    expect(speeds).toHaveLength(9);
    for (const speed of speeds) expect(speed).toBeGreaterThan(0);

    const engine = startEngine(disk);
    for (const datasetId of [request.datasetId, request.evalDatasetId!])
      await engine.deleteDataset({ datasetId }, silent());
    await engine.deleteModel({ modelId: request.modelId }, silent());
    expect(await cardOn(disk, run, 'the second GPU')).toEqual(before);
  });

  it('adds the device that it goes on with, and counts on', async () => {
    const { disk, request } = await prepare();
    await expect(train(disk, request, { description: 'first', dieAt: 5 })).rejects.toThrow('gone');
    const dead = (await findRun(disk, request.name))!;
    const resume = { ...request, resumeRunId: dead.id };
    const again = train(disk, resume, { description: 'second', dieAt: 7 });
    await expect(again).rejects.toThrow('gone');
    const run = await train(disk, resume, { description: 'first' });
    expect(run.status).toBe('finished');
    expect(run.provenance!.devices.map(({ adapterName }) => adapterName)).toEqual([
      'first',
      'second',
    ]);
    expect(run.provenance).toMatchObject({
      dataset: dead.provenance!.dataset,
      model: dead.provenance!.model,
    });
    // Steps 5 and 7 are lost with what was not written, and taken again; none counts less than once.
    const whole = await train(disk, request);
    expect(run.tokenCount).toBeGreaterThanOrEqual(whole.tokenCount!);
    expect(run.elapsedMs).toBeGreaterThan(dead.elapsedMs);
    expect(meanSpeedOf(run)).toBeGreaterThan(0);
  });

  it('of an older version goes on without what nobody counted', async () => {
    const { disk, request } = await prepare();
    await expect(train(disk, request, { dieAt: 5 })).rejects.toThrow('gone');
    const { id } = (await findRun(disk, request.name))!;
    type Stored = { id: string; schemaVersion: number };
    await disk.tables.update<Stored>('runs', id, (found) => {
      const run = found as unknown as RunSummary;
      const log = run.log.map(({ ...entry }) => {
        if ('loss' in entry) delete entry.tokens_per_second;
        return entry;
      });
      const none = { tokenCount: undefined, peakGpuBytes: undefined, provenance: undefined };
      return { ...run, ...none, log, schemaVersion: 1 };
    });
    const run = await train(disk, { ...request, resumeRunId: id });
    expect(run).toMatchObject({ status: 'finished', step: 9 });
    expect([run.tokenCount, run.provenance, meanSpeedOf(run)]).toEqual(Array(3).fill(undefined));
    expect(run.peakGpuBytes).toBeGreaterThan(0);
    const card = await cardOn(disk, run);
    expect(card).not.toHaveProperty('device');
    expect(card.figures).not.toHaveProperty('tokensPerSecond');
  });

  it('is not begun where its data is gone', async () => {
    const { disk, request } = await prepare();
    await startEngine(disk).deleteDataset({ datasetId: request.evalDatasetId! }, silent());
    expect(await refusalOf(train(disk, request))).toMatchObject({ code: 'not-found' });
    expect(await findRun(disk, request.name)).toBeUndefined();
  });
});

describe('a run that diverged', () => {
  it('goes on from its last checkpoint at a third of the rate, over the steps that were left', async () => {
    const disk = new Disk();
    const engine = startEngine(disk);
    const request = smallRun(await importSmallModel(engine), await importTokenRows(engine), {
      ...{ save_strategy: 'steps', save_steps: 2 },
    });
    const train = async (asked: TrainRequest, dieAt?: number): Promise<RunSummary> => {
      const gpu = new FailingGpu();
      const progress = (event: TrainEvent) => {
        if (event.kind === 'step' && event.step === dieAt) throw new Error('the tab is gone');
      };
      try {
        return await startEngine(disk, { gpu }).train(asked, { ...silent(), progress });
      } finally {
        gpu.loseDevice();
      }
    };
    await expect(train(request, 4)).rejects.toThrow('gone');
    const { id } = (await findRun(disk, request.name))!;
    const setRate = (learning_rate: number) =>
      disk.tables.update<{ id: string; schemaVersion: number }>('runs', id, (found) => {
        const run = found as unknown as RunSummary;
        return { ...run, training: { ...run.training, learning_rate }, schemaVersion: 1 };
      });
    await setRate(1e30);
    const refused = await refusalOf(train({ ...request, resumeRunId: id }));
    expect(refused).toMatchObject({ code: 'diverged' });
    await setRate(0.01);

    const run = (await findRun(disk, request.name))!;
    expect(run).toMatchObject({ status: 'failed', error: { code: 'diverged' } });
    expect(wayOn(run)).toEqual({ kind: 'slower', step: 4 });
    const words = { name: 'slower', samplePrompts: [] };
    const slower = await train(slowerRequest(run, run.checkpoints.at(-1)!, words));
    expect(slower).toMatchObject({
      ...{ status: 'finished', step: 5, totalSteps: 5 },
      startedFrom: { name: request.name, step: 4 },
      training: { learning_rate: 0.0033, max_steps: 5 },
    });
    expect(slower.log.every((entry) => 'loss' in entry && Number.isFinite(entry.loss))).toBe(true);
  });
});

describe('the time to come', () => {
  const shape = (changes: Partial<TrainingArguments>) => {
    const args = { ...DEFAULT_TRAINING_ARGUMENTS, max_steps: 60, ...changes };
    return [args, runShape(100, args)] as const;
  };
  const answering = (changes: Partial<TrainingArguments>) => {
    const time = new TimeToCome(...shape(changes));
    return {
      time,
      left: (step: number, stepMs = 100) => time.msAfter(step, stepMs),
    };
  };

  it('is that of the steps while nothing else was measured', () => {
    const { left } = answering({ eval_strategy: 'steps', eval_steps: 20 });
    expect(left(0)).toBe(6000);
    expect(left(25)).toBe(3500);
  });

  it('counts each evaluation still to come, that of this very step included', () => {
    const { time, left } = answering({ eval_strategy: 'steps', eval_steps: 20 });
    time.evaluated(1000);
    expect(left(19)).toBe(4100 + 3000);
    expect(left(20)).toBe(4000 + 3000);
    expect(left(21)).toBe(3900 + 2000);
    // The first compiled: it no longer counts.
    time.evaluated(400);
    expect(left(41)).toBe(1900 + 400);
    // Control: a run that does not evaluate itself has none.
    const none = answering({ eval_strategy: 'no', eval_steps: 20 });
    none.time.evaluated(1000);
    expect(none.left(19)).toBe(4100);
  });

  it('counts the rounds of answers, no more than they may take, and always the last', () => {
    const { time, left } = answering({ eval_strategy: 'no' });
    time.answered(10);
    expect(left(30)).toBe(3000 + 4 * 10);
    expect(left(60)).toBe(10);
    const slow = answering({ eval_strategy: 'no' });
    slow.time.answered(60_000);
    const share = SAMPLE_TIME_SHARE / (1 - SAMPLE_TIME_SHARE);
    expect(slow.left(30)).toBe(3000 * (1 + share) + 60_000);
  });

  it('has answers as often as a person wants them, whatever they take', () => {
    const steps = Array.from({ length: 20 }, (_, i) => i + 1);
    const due = (every?: number) => steps.filter((step) => isSampleStep(step, 20, every));
    expect(due(7)).toEqual([7, 14, 20]);
    expect(due(0)).toEqual([4, 8, 12, 16, 20]);
    expect(due()).toEqual(due(0));
    const time = new TimeToCome(...shape({ eval_strategy: 'no' }), 20);
    time.answered(60_000);
    expect(time.msAfter(30, 100)).toBe(3000 + 2 * 60_000);
  });
});
