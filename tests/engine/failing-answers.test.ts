/** A run whose questions get no answer is told of each, and ends in the bytes of one that asks nothing. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineApi, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { startEngine, takeAdapter } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

type Failure = Extract<TrainEvent, { kind: 'sample-failed' }>;

describe('a run that cannot be talked to', () => {
  let disk: Disk;
  let engine: EngineApi;
  let request: TrainRequest;

  beforeEach(async () => {
    const gpu = new FailingGpu();
    disk = new Disk();
    // The files of the runtime that would answer are nowhere.
    engine = startEngine(disk, { gpu });
    const training = { save_strategy: 'steps', save_steps: 2, max_steps: 4 } as const;
    request = smallRun(await importSmallModel(engine), await importTokenRows(engine), training);
    return () => gpu.loseDevice();
  });

  it('trains to its end all the same', async () => {
    const expected = await takeAdapter(disk, await engine.train(request, silent()));
    const failures: Failure[] = [];
    const progress = (event: TrainEvent) => {
      if (event.kind === 'sample-failed') failures.push(event);
    };
    const asking = { ...request, samplePrompts: ['How are you?'], sampleEvery: 2 };
    const run = await engine.train(asking, { ...silent(), progress });
    expect(run).toMatchObject({ status: 'finished', step: 4, samples: [] });
    expect(run.checkpoints.map(({ step }) => step)).toEqual([2, 4]);
    expect(failures.map(({ step }) => step)).toEqual([0, 2, 4]);
    for (const { error } of failures) expect(error.message).not.toBe('');
    expect(await takeAdapter(disk, run)).toEqual(expected);
  });

  it('that is stopped meanwhile is told of nothing', async () => {
    const stop = new AbortController();
    const failures: Failure[] = [];
    const progress = (event: TrainEvent) => {
      if (event.kind === 'step') stop.abort();
      if (event.kind === 'sample-failed') failures.push(event);
    };
    const asking = { ...request, samplePrompts: ['How are you?'], sampleEvery: 1 };
    expect(await engine.train(asking, { signal: stop.signal, progress })).toMatchObject({
      status: 'stopped',
      step: 1,
    });
    expect(failures).toEqual([]);
  });
});
