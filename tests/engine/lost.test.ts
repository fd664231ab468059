/**
 * The device is lost in mid-step or in sleep, finds no memory, or the worker dies: each is told by a code and one
 * sentence, nothing that was saved is lost, and the run goes on to the bytes of one that was let be.
 */
import { MessageChannel, type MessagePort as NodePort } from 'node:worker_threads';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { explainError } from '$lib/i18n';
import { connect, serve } from '$lib/rpc';
import type { EngineApi, RunSummary, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { isLockHeld, RUN_LOCK } from '$lib/storage';
import { findRun, refusalOf, startEngine, takeAdapter } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk, Life } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

const NIGHT_MS = 9 * 3_600_000;

const disk = new Disk();
let request: TrainRequest;
let expected: string[];

/** Does something when a step's event comes: the next step is being prepared then. */
const atStep = (step: number, act: () => void) => ({
  ...silent(),
  progress: (event: TrainEvent) => {
    if (event.kind === 'step' && event.step === step) act();
  },
});

beforeAll(async () => {
  const gpu = new FailingGpu();
  const engine = startEngine(disk, { gpu });
  const training = { save_strategy: 'steps', save_steps: 2 } as const;
  request = smallRun(await importSmallModel(engine), await importTokenRows(engine), training);
  expected = await takeAdapter(disk, await engine.train(request, silent()));
  gpu.loseDevice();
});

/** The run that broke off after its second checkpoint, and how it goes on with this engine. */
async function expectRecovery(engine: EngineApi, name: string): Promise<RunSummary> {
  const run = (await findRun(disk, name))!;
  expect(run).toMatchObject({ status: 'interrupted' });
  const starts: number[] = [];
  const progress = (event: TrainEvent) => {
    if (event.kind === 'prepared') starts.push(event.startStep);
  };
  const resumed = await engine.train(
    { ...request, name, resumeRunId: run.id },
    { ...silent(), progress },
  );
  expect(starts).toEqual([4]);
  expect(resumed).toMatchObject({ status: 'finished', step: 9 });
  expect(resumed.log).toHaveLength(9);
  expect(await takeAdapter(disk, resumed)).toEqual(expected);
  return run;
}

describe('a device', () => {
  for (const [when, wait] of [
    ['between two steps', 0],
    ['in the middle of a step', 2],
  ] as const)
    it(`that is lost ${when} is told of, asked for again, and the run goes on where it stood`, async () => {
      const gpu = new FailingGpu();
      const engine = startEngine(disk, { gpu });
      const name = `lost ${when}`;
      const lose = () => {
        if (wait === 0) gpu.loseDevice();
        else setTimeout(() => gpu.loseDevice(), wait);
      };
      const refused = await refusalOf(engine.train({ ...request, name }, atStep(5, lose)));
      expect(refused).toMatchObject({ code: 'device-lost', retryable: true });
      expect(explainError(refused, 'zh-CN').sentence).not.toBe('');
      const run = await expectRecovery(engine, name);
      expect(run.error).toMatchObject({ code: 'device-lost', message: refused.message });
      expect(gpu.requestedDevices).toBe(2);
      gpu.loseDevice();
    });

  it('that is lost in a night of sleep is asked for again, and the night is no work', async () => {
    const gpu = new FailingGpu();
    const engine = startEngine(disk, { gpu });
    const name = 'slept';
    const now = performance.now.bind(performance);
    const sleep = () => {
      vi.spyOn(performance, 'now').mockImplementation(() => now() + NIGHT_MS);
      gpu.loseDevice();
    };
    try {
      const refused = await refusalOf(engine.train({ ...request, name }, atStep(5, sleep)));
      expect(refused).toMatchObject({ code: 'device-lost', retryable: true });
      await expectRecovery(engine, name);
      expect((await findRun(disk, name))!.elapsedMs).toBeLessThan(NIGHT_MS / 10);
    } finally {
      vi.restoreAllMocks();
      gpu.loseDevice();
    }
  });

  it('that is lost while a model is opened is told of, and the next attempt opens it', async () => {
    const gpu = new FailingGpu();
    const engine = startEngine(disk, { gpu });
    const { modelId } = request;
    const progress = ({ stage }: { stage: string }) => {
      if (stage === 'upload') gpu.loseDevice();
    };
    const opened = engine.openModel({ modelId }, { ...silent(), progress });
    expect(await refusalOf(opened)).toMatchObject({ code: 'device-lost' });
    expect(await engine.openModel({ modelId }, silent())).toMatchObject({ backend: 'webgpu' });
    gpu.loseDevice();
  });

  it('without memory for the model, the run, or a later step says so; with memory all of it works', async () => {
    const gpu = new FailingGpu();
    const engine = startEngine(disk, { gpu });
    gpu.memoryBytes = 20_000;
    const opened = engine.openModel({ modelId: request.modelId }, silent());
    expect(await refusalOf(opened)).toMatchObject({ code: 'out-of-memory' });
    gpu.memoryBytes = Infinity;
    const { gpuBytes } = await engine.openModel({ modelId: request.modelId }, silent());

    for (const extra of [1000, 30_000, 100_000]) {
      gpu.memoryBytes = gpuBytes + extra;
      const refused = await refusalOf(engine.train({ ...request, name: 'too big' }, silent()));
      expect(refused.code, `${extra} bytes more than the model`).toBe('out-of-memory');
      expect(refused.message).toMatch(/smaller batch/);
    }
    gpu.memoryBytes = Infinity;
    const name = 'short of memory later';
    // The next checkpoint is read back through a buffer of its own.
    const starve = () => (gpu.memoryBytes = 0);
    const call = engine.train({ ...request, name }, atStep(5, starve));
    expect(await refusalOf(call)).toMatchObject({ code: 'out-of-memory' });
    gpu.memoryBytes = Infinity;
    await expectRecovery(engine, name);
    gpu.loseDevice();
  });
});

describe('the worker', () => {
  it('that crashes rejects the call with a code; a new one goes on where the run stood', async () => {
    const gpu = new FailingGpu();
    const life = new Life();
    const { port1, port2 } = new MessageChannel() as unknown as {
      port1: MessagePort & NodePort;
      port2: MessagePort;
    };
    const stop = serve(startEngine(disk, { life, gpu }), port2);
    const crashes: string[] = [];
    const remote = connect<EngineApi>(port1, { onCrash: ({ code }) => crashes.push(code) });
    const name = 'crashed';
    const call = remote.train(
      { ...request, name },
      {
        onProgress: (event) => {
          if (event.kind !== 'step' || event.step !== 5) return;
          // All that the thread was doing ends with it, and its port tells of an error.
          life.end();
          gpu.loseDevice();
          port1.dispatchEvent(Object.assign(new Event('error'), { message: 'out of memory' }));
        },
      },
    );
    const refused = await refusalOf(call);
    expect(refused).toMatchObject({ code: 'worker-crashed', retryable: true });
    expect(crashes).toEqual(['worker-crashed']);
    expect(await refusalOf(remote.listRuns())).toMatchObject({ code: 'worker-crashed' });
    stop();
    await released();
    const next = new FailingGpu();
    await expectRecovery(startEngine(disk, { gpu: next }), name);
    next.loseDevice();
  });
});

/** A browser frees a dead worker's locks; here the dead one lets go when it notices that it is. */
async function released(): Promise<void> {
  for (let tries = 0; tries < 200 && (await isLockHeld(RUN_LOCK)); tries++)
    await new Promise((resolve) => setTimeout(resolve, 50));
}
