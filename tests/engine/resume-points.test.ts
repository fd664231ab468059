/**
 * Between the checkpoints that were asked for. Plan: a pause saves the run where it is, so that it can be talked to and
 * that nothing of a paused run is ever lost; a resume point lasts until the next checkpoint, counts for no limit and
 * changes no bit; it comes by itself after some minutes of work.
 */
import { describe, expect, it } from 'vitest';
import type { EngineApi, RunSummary, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { CheckpointSaver } from '$lib/engine/checkpoint-saver';
import { CheckpointStore } from '$lib/engine/checkpoint-store';
import type { RunRecorder } from '$lib/engine/run-recorder';
import { WorkClock } from '$lib/engine/work-clock';
import { MemoryFiles } from '$lib/storage';
import type { Checkpoint } from '$lib/training';
import { canGoOn } from '$lib/state/ways-on';
import { findRun, learned, startEngine, takeAdapter } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk, Life } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

interface Begun {
  disk: Disk;
  request: TrainRequest;
}

/** Nine steps, saved at the end alone. */
async function begin(training: Partial<TrainRequest['training']> = {}): Promise<Begun> {
  const disk = new Disk();
  const engine = startEngine(disk);
  const modelId = await importSmallModel(engine);
  const datasetId = await importTokenRows(engine);
  return { disk, request: smallRun(modelId, datasetId, { save_strategy: 'no', ...training }) };
}

/** Pauses after a step and does something before it goes on. */
function trainWithPause(
  engine: EngineApi,
  request: TrainRequest,
  step: number,
  whilePaused: (event: TrainEvent) => Promise<void>,
): Promise<RunSummary> {
  let failure: unknown;
  return engine
    .train(request, {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'step' && event.step === step)
          void engine.pauseTraining(undefined, silent());
        if (event.kind !== 'checkpoint' || event.step !== step) return;
        void whilePaused(event)
          .catch((error: unknown) => (failure = error))
          .then(() => engine.resumeTraining(undefined, silent()))
          .catch(() => undefined);
      },
    })
    .finally(() => {
      if (failure) throw failure as Error;
    });
}

const steps = ({ checkpoints }: RunSummary) => checkpoints.map(({ step }) => step);

describe('an error that ends a run', () => {
  const failing = async (fail: (event: TrainEvent, gpu: FailingGpu) => void) => {
    const { disk, request } = await begin();
    const expected = await takeAdapter(disk, await startEngine(disk).train(request, silent()));
    const gpu = new FailingGpu();
    const progress = (event: TrainEvent) => fail(event, gpu);
    const broken = { ...request, name: 'broken' };
    const ended = startEngine(disk, { gpu }).train(broken, { ...silent(), progress });
    await expect(ended).rejects.toThrow();
    const run = (await findRun(disk, 'broken'))!;
    const resumed = await startEngine(disk).train({ ...broken, resumeRunId: run.id }, silent());
    return { run, resumed: await takeAdapter(disk, resumed), expected };
  };

  it('between two steps costs none of them, and the run goes on to the same bytes', async () => {
    const { run, resumed, expected } = await failing((event) => {
      if (event.kind === 'step' && event.step === 5) throw new Error('nobody thought of this');
    });
    expect(run).toMatchObject({ status: 'failed', step: 5 });
    expect(steps(run)).toEqual([5]);
    expect(canGoOn(run)).toBe(true);
    expect(resumed).toEqual(expected);
  });

  it('in a step leaves no half of one behind', async () => {
    const { run, resumed, expected } = await failing((event, gpu) => {
      if (event.kind === 'step' && event.step === 5) gpu.loseDevice();
    });
    expect(run.checkpoints).toEqual([]);
    expect(resumed).toEqual(expected);
  });
});

describe('a resume point', () => {
  it('is made by a pause: an adapter like any other, until the next checkpoint, and no bit differs', async () => {
    const { disk, request } = await begin();
    const whole = await startEngine(disk).train(request, silent());
    const expected = await takeAdapter(disk, whole);
    const engine = startEngine(disk);
    let seen = 0;
    const run = await trainWithPause(engine, { ...request, name: 'paused' }, 2, async () => {
      const adapters = await engine.listAdapters(undefined, silent());
      const [paused] = adapters.filter(({ name }) => name === 'paused');
      expect(paused).toMatchObject({ step: 2 });
      const taken = { modelId: request.modelId, adapterId: paused.id, format: 'peft' } as const;
      expect((await engine.exportModel(taken, silent())).file.size).toBeGreaterThan(100);
      const runs = await engine.listRuns(undefined, silent());
      expect(runs.find(({ name }) => name === 'paused')).toMatchObject({ status: 'paused' });
      seen++;
    });
    expect(seen).toBe(1);
    expect(run).toMatchObject({ status: 'finished', step: 9 });
    expect(steps(run)).toEqual(steps(whole));
    expect(await takeAdapter(disk, run)).toEqual(expected);
    expect(learned(run)).toEqual(learned(whole));
  });

  it('does not keep a run that was told to go on while it was written', async () => {
    const { disk, request } = await begin();
    const engine = startEngine(disk);
    let pauses = 0;
    const run = await engine.train(request, {
      ...silent(),
      progress: ({ kind }) => {
        if (kind === 'step') void engine.pauseTraining(undefined, silent());
        if (kind !== 'paused') return;
        pauses++;
        void engine.resumeTraining(undefined, silent());
      },
    });
    expect(pauses).toBe(8);
    expect(run).toMatchObject({ status: 'finished', step: 9 });
  });

  it('loses nothing of a paused run, whenever its tab is closed', async () => {
    const { disk, request } = await begin();
    const whole = await startEngine(disk).train(request, silent());
    const expected = await takeAdapter(disk, whole);
    for (const step of [1, 4, 8]) {
      const life = new Life();
      const gpu = new FailingGpu();
      const name = `paused at ${step}`;
      const engine = startEngine(disk, { life, gpu });
      const dying = trainWithPause(engine, { ...request, name }, step, async () => {
        life.end();
        gpu.loseDevice();
      });
      await expect(dying).rejects.toThrow();
      const next = startEngine(disk);
      const found = (await next.listRuns(undefined, silent())).find((run) => run.name === name)!;
      expect(steps(found)).toEqual([step]);
      let firstStep: number | undefined;
      const run = await next.train(
        { ...request, name, resumeRunId: found.id },
        {
          ...silent(),
          progress: (event) => {
            if (event.kind === 'step') firstStep ??= event.step;
          },
        },
      );
      expect(firstStep).toBe(step + 1);
      expect(await takeAdapter(disk, run)).toEqual(expected);
      expect(steps(run)).toEqual([9]);
    }
  });

  it('counts for no limit, and a stop makes it a checkpoint that stays', async () => {
    const limit = { save_strategy: 'steps', save_steps: 3, save_total_limit: 2 } as const;
    const { disk, request } = await begin(limit);
    const engine = startEngine(disk);
    const listed: number[][] = [];
    const list = async () => {
      listed.push(steps((await engine.listRuns(undefined, silent()))[0]));
    };
    const run = await trainWithPause(engine, request, 7, list);
    expect(listed).toEqual([[3, 6, 7]]);
    expect(steps(run)).toEqual([6, 9]);
    const stopped = await trainWithPause(engine, { ...request, name: 'stopped' }, 4, async () => {
      await engine.stopTraining({ keep: true }, silent());
    });
    expect(stopped).toMatchObject({ status: 'stopped' });
    expect(steps(stopped)).toEqual([3, 4]);
    const resumed = await engine.train({ ...request, resumeRunId: stopped.id }, silent());
    // Asked for by the stop, it is thinned out by the limit alone.
    expect(steps(resumed)).toEqual([6, 9]);
  });
});

describe('by itself', () => {
  /** A saver over a clock that is set by hand; saving takes as long as `costMs` says at the time. */
  function saverAt() {
    let nowMs = 0;
    const clock = new WorkClock(0, () => nowMs);
    const record = {
      clock,
      run: { id: 'run-1', step: 0, training: { load_best_model_at_end: false } },
      save: async () => undefined,
    } as unknown as RunRecorder;
    const saved: number[] = [];
    const saver = new CheckpointSaver({
      checkpoints: new CheckpointStore(new MemoryFiles()),
      record,
      toFiles: () => new Map([['adapter_model.safetensors', new Uint8Array(4)]]) as never,
      emit: (event) => {
        if (event.kind === 'checkpoint') saved.push(event.step);
      },
      waitForSpace: async () => false,
    });
    const work = async (step: number, minutes: number, soon = false) => {
      for (let i = 0; i < minutes; i++) {
        nowMs += 60_000;
        clock.tick();
      }
      const state = { global_step: step, best_model_checkpoint: null };
      await saver.saveResumePointWhenDue(
        {
          step,
          checkpoint: async () => ({ state }) as unknown as Checkpoint,
        },
        soon,
      );
    };
    return { work, saved };
  }

  it('after five minutes of work since the last, and not where nothing was done', async () => {
    const { work, saved } = saverAt();
    await work(1, 4);
    expect(saved).toEqual([]);
    await work(2, 1);
    expect(saved).toEqual([2]);
    await work(3, 4);
    expect(saved).toEqual([2]);
    await work(4, 1);
    expect(saved).toEqual([2, 4]);
    await work(4, 60);
    expect(saved).toEqual([2, 4]);
  });

  it('sooner where the tab may be about to die, but not again and again', async () => {
    const { work, saved } = saverAt();
    await work(1, 1, true);
    expect(saved).toEqual([1]);
    await work(2, 0, true);
    expect(saved).toEqual([1]);
    await work(3, 1);
    expect(saved).toEqual([1]);
    await work(4, 0, true);
    expect(saved).toEqual([1, 4]);
  });
});
