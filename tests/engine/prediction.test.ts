/**
 * Plan: what is predicted before a run is what the run then has: GPU memory to the byte, steps, cut rows, disk space
 * at the end and at the fullest moment within a few per cent, for several recipes, and paused between checkpoints; a run that meets a limit of the device, and one that
 * finds no memory, name a change in `details.suggestion`, and with it they run; the prediction names the same. What ran
 * out is remembered over a restart, until a larger run has worked.
 */
import type { Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '$lib/engine';
import { afterFailure, afterSuccess } from '$lib/engine/memory-experience';
import type { EngineApi, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { MemoryFiles, MemoryTables, type FileSource } from '$lib/storage';
import { testEntry } from '../dawn';
import { scarceEntry } from '../gpu/scarce-memory';
import { alpaca, baseUrlOf, requestOf, serveBundled, silent } from './harness';

const gpu = testEntry();

const ROWS = Array.from({ length: 20 }, (_, i) => ({
  instruction: `问题${i}`.repeat(1 + (i % 4)),
  input: '',
  output: `答案${i}`.repeat(3 + i),
}));

/** Knows how much of runs it has held at most. */
class WatchedFiles extends MemoryFiles {
  mostBytes = 0;

  async runBytes(): Promise<number> {
    return (await this.list('runs')).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  override async writeFile(path: string, source: FileSource): Promise<void> {
    await super.writeFile(path, source);
    this.mostBytes = Math.max(this.mostBytes, await this.runBytes());
  }
}

/** The loss falls, so that the first evaluation is the best where greater is better. */
const BEST: Partial<TrainRequest['training']> = {
  ...{ load_best_model_at_end: true, eval_strategy: 'steps', eval_steps: 1 },
  ...{ metric_for_best_model: 'loss', greater_is_better: true, warmup_ratio: 0 },
  ...{ save_steps: 1, save_total_limit: 1 },
};

type Prepared = Extract<TrainEvent, { kind: 'prepared' }>;

describe('before a run', () => {
  let server: Server;
  beforeAll(async () => {
    server = await serveBundled();
  });
  afterAll(() => void server.close());

  async function startOn(entry: GPU) {
    const files = new WatchedFiles();
    const baseUrl = baseUrlOf(server);
    const engine = createEngine({ files, tables: new MemoryTables(), gpu: entry, baseUrl });
    const { dataset } = await engine.importDataset({ file: alpaca(ROWS) }, silent());
    return { engine, files, datasetId: dataset!.id };
  }

  const withTraining = (
    datasetId: string,
    training: Partial<TrainRequest['training']>,
    more: Partial<TrainRequest> = {},
  ): TrainRequest => {
    const request = requestOf(datasetId, more);
    return { ...request, training: { ...request.training, ...training } };
  };

  async function preparedBy(engine: EngineApi, request: TrainRequest): Promise<Prepared> {
    let prepared: Prepared | undefined;
    await engine.train(request, {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'prepared') prepared = event;
      },
    });
    return prepared!;
  }

  it.each([
    ['a short run', { max_steps: 3, save_steps: 1, save_total_limit: 2 }, {}],
    ['the best is kept too', { ...BEST, max_steps: 4 }, { evalShare: 0.25 }],
    ['an epoch, rows held back', { max_steps: -1, num_train_epochs: 1 }, { evalShare: 0.25 }],
    ['a base in 4 bits', { max_steps: 1, load_in_4bit: true }, {}],
    ['rows that are cut', { max_steps: 2, max_length: 48, per_device_train_batch_size: 8 }, {}],
  ] as const)('all that it will take is known: %s', async (_, training, more) => {
    const { engine, files, datasetId } = await startOn(gpu);
    const request = withTraining(datasetId, training, more);
    const predicted = await engine.predictTraining(request, silent());
    const prepared = await preparedBy(engine, request);
    expect(predicted.memory.total).toBe(prepared.gpuBytes);
    expect(predicted).toMatchObject({
      totalSteps: prepared.totalSteps,
      cutRows: prepared.cutRows,
      trainRows: prepared.trainRows,
    });
    expect(predicted.exceeds).toBeUndefined();
    expect(predicted.longestRow).toBeLessThanOrEqual(request.training.max_length);
    expect(predicted.storage.kept / (await files.runBytes())).toBeCloseTo(1, 1);
    expect(predicted.storage.peak / files.mostBytes).toBeCloseTo(1, 1);
  });

  it('a run that is saved between its checkpoints has one more at its fullest moment', async () => {
    const { engine, files, datasetId } = await startOn(gpu);
    const request = withTraining(datasetId, { max_steps: 4, save_steps: 2, save_total_limit: 1 });
    const { storage } = await engine.predictTraining(request, silent());
    await engine.train(request, {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'step' && event.step === 3)
          void engine.pauseTraining(undefined, silent());
        // Saved by then.
        if (event.kind === 'checkpoint' && event.step === 3)
          void engine.resumeTraining(undefined, silent());
      },
    });
    expect(storage.peakWithResumePoint / files.mostBytes).toBeCloseTo(1, 1);
    expect(storage.peakWithResumePoint).toBeGreaterThan(1.1 * storage.peak);
  });

  it('the time is measured once and told for as many rows, and not while a run is going on', async () => {
    const { engine, datasetId } = await startOn(gpu);
    const request = withTraining(datasetId, { max_steps: 4, save_strategy: 'no' });
    const time = (await engine.predictTime(request, silent()))!;
    expect(time.secondsPerStep).toBeGreaterThan(0);
    expect(time.totalSeconds).toBeCloseTo(4 * time.secondsPerStep, 9);
    const longer = withTraining(datasetId, { max_steps: 8, save_strategy: 'no' });
    expect((await engine.predictTime(longer, silent()))!.totalSeconds).toBe(2 * time.totalSeconds);
    let during: unknown = 'not asked';
    await engine.train(request, {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'step') during = engine.predictTime(request, silent());
      },
    });
    expect(await during).toBeUndefined();
  });

  it('a measurement gives way to the run that is started', async () => {
    const { engine, datasetId } = await startOn(gpu);
    const request = withTraining(datasetId, { max_steps: 1, save_strategy: 'no' });
    const measuring = engine.predictTime(request, silent()).catch((error: Error) => error.name);
    const run = await engine.train(request, silent());
    expect(run.status).toBe('finished');
    expect(['AbortError', undefined]).toContain(await measuring);
  });

  it('long data is read in stretches: others are answered in between, and a newer question ends an older one', async () => {
    const { engine } = await startOn(gpu);
    const many = Array.from({ length: 2000 }, (_, i) => ({ ...ROWS[i % 20], input: `${i}` }));
    const { dataset } = await engine.importDataset({ file: alpaca(many) }, silent());
    await engine.openModel({ modelId: 'nano-lm' }, silent());
    const request = withTraining(dataset!.id, { max_steps: 1 });
    const order: string[] = [];
    const predicting = engine.predictTraining(request, silent()).then(() => order.push('told'));
    await engine.readRows({ datasetId: dataset!.id, start: 0, count: 1 }, silent());
    const turns = setInterval(() => order.push('turn'), 1);
    await predicting;
    clearInterval(turns);
    expect(order.indexOf('told')).toBeGreaterThan(2);

    const older = engine.predictTraining(withTraining(dataset!.id, { max_length: 64 }), silent());
    const ended = older.catch((error: Error) => error.name);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const newer = withTraining(dataset!.id, { max_length: 96, max_steps: 7 });
    expect((await engine.predictTraining(newer, silent())).totalSteps).toBe(7);
    expect(await ended).toBe('AbortError');
  });

  const readChange = (suggestion: string) =>
    Object.fromEntries(
      suggestion.split(', ').map((pair) => {
        const [name, value] = pair.split('=');
        return [name, Number(value)];
      }),
    );

  const detailsOf = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: { code: string; details: { suggestion: string } }) => ({
        code: error.code,
        ...error.details,
      }),
    );

  /** Its devices say that no buffer may be larger. */
  const limitedEntry = (maxBufferSize: number): GPU =>
    ({
      requestAdapter: async () => {
        const adapter = (await gpu.requestAdapter())!;
        const request = adapter.requestDevice.bind(adapter);
        adapter.requestDevice = async (descriptor) => {
          const device = await request(descriptor);
          const { maxComputeWorkgroupsPerDimension, minUniformBufferOffsetAlignment } =
            device.limits;
          const limits = { maxBufferSize, maxStorageBufferBindingSize: maxBufferSize };
          Object.defineProperty(device, 'limits', {
            value: { ...limits, maxComputeWorkgroupsPerDimension, minUniformBufferOffsetAlignment },
          });
          return device;
        };
        return adapter;
      },
    }) as unknown as GPU;

  const LARGE = { per_device_train_batch_size: 16, max_steps: 1, save_steps: 1 };

  it('a limit of the device is met exactly, and what is suggested can start', async () => {
    const { engine } = await startOn(limitedEntry(6 * 2 ** 20));
    // An inner activation of 512 floats a token: 8 MiB for four rows of this length, 4 for two.
    const rows = [{ ...ROWS[0], output: '很长的答案'.repeat(1000) }, ...ROWS.slice(1, 4)];
    const { dataset } = await engine.importDataset({ file: alpaca(rows) }, silent());
    const four = { max_steps: 1, max_length: 1024, per_device_train_batch_size: 4 };
    const request = withTraining(dataset!.id, four);
    const { exceeds, memory } = await engine.predictTraining(request, silent());
    expect(memory.total).toBeGreaterThan(memory.weights);
    const failure = await detailsOf(engine.train(request, silent()));
    expect(failure).toMatchObject({
      code: 'limit',
      suggestion: 'per_device_train_batch_size=2, gradient_accumulation_steps=2',
    });
    expect(exceeds?.suggestion).toBe(failure!.suggestion);
    const changed = withTraining(dataset!.id, { ...four, ...readChange(failure!.suggestion) });
    const predicted = await engine.predictTraining(changed, silent());
    expect(predicted.exceeds).toBeUndefined();
    let gpuBytes = 0;
    await engine.train(changed, {
      ...silent(),
      progress: (event) => {
        if (event.kind !== 'prepared') return;
        ({ gpuBytes } = event);
        void engine.stopTraining({ keep: false }, silent());
      },
    });
    expect(gpuBytes).toBe(predicted.memory.total);
  });

  it('where memory runs out, a smaller batch is suggested, and runs', async () => {
    const generous = await startOn(gpu);
    const needed = await generous.engine.predictTraining(
      withTraining(generous.datasetId, LARGE),
      silent(),
    );
    const { weights, total } = needed.memory;
    const { engine, datasetId } = await startOn(
      scarceEntry(gpu, weights + 0.7 * (total - weights)),
    );
    const request = withTraining(datasetId, LARGE);
    const failure = await detailsOf(engine.train(request, silent()));
    expect(failure).toMatchObject({
      code: 'out-of-memory',
      suggestion: 'per_device_train_batch_size=8, gradient_accumulation_steps=2',
    });
    expect((await engine.listRuns(undefined, silent())).map(({ status }) => status)).toEqual([]);
    const run = await engine.train(
      withTraining(datasetId, { ...LARGE, ...readChange(failure!.suggestion) }),
      silent(),
    );
    expect(run).toMatchObject({ status: 'finished', step: 1 });
  });

  it('what ran out of memory is told before the next start, until a larger run works', async () => {
    const stores = { files: new MemoryFiles(), tables: new MemoryTables() };
    const startWith = (bytes: number) =>
      createEngine({ ...stores, gpu: scarceEntry(gpu, bytes), baseUrl: baseUrlOf(server) });
    const generous = startWith(Infinity);
    const { dataset } = await generous.importDataset({ file: alpaca(ROWS) }, silent());
    const large = withTraining(dataset!.id, LARGE);
    const { memory, shortage } = await generous.predictTraining(large, silent());
    expect(shortage).toBeUndefined();

    const scarce = startWith(memory.weights + 0.7 * (memory.total - memory.weights));
    const failure = await detailsOf(scarce.train(large, silent()));
    const again = startWith(Infinity);
    const warned = (await again.predictTraining(large, silent())).shortage!;
    expect(warned).toMatchObject({
      failedBytes: memory.total,
      suggestion: failure!.suggestion,
    });
    const smaller = withTraining(dataset!.id, { ...LARGE, ...readChange(warned.suggestion!) });
    const predicted = await again.predictTraining(smaller, silent());
    expect(predicted.shortage).toBeUndefined();
    expect(predicted.memory.total).toBe(warned.suggestedBytes);

    // It works after all, where nobody else takes the memory.
    expect((await again.train(large, silent())).status).toBe('finished');
    expect((await again.predictTraining(large, silent())).shortage).toBeUndefined();
  });

  it('the smallest that failed and the largest that worked never contradict each other', () => {
    const failed = afterFailure(afterFailure({}, 20), 30);
    expect(failed).toEqual({ failedBytes: 20 });
    expect(afterSuccess(failed, 10)).toEqual({ failedBytes: 20, workedBytes: 10 });
    expect(afterSuccess(failed, 20)).toEqual({ workedBytes: 20 });
    expect(afterSuccess({ workedBytes: 20 }, 10)).toEqual({ workedBytes: 20 });
    // Others have taken the memory since.
    expect(afterFailure({ workedBytes: 20 }, 15)).toEqual({ failedBytes: 15 });
  });
});
