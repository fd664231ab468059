/**
 * Plan: what a run needs is compiled before there is data, for several recipes, so that its start compiles nothing; nothing is
 * allocated for it; it gives way to a run, and ends quietly where its caller leaves.
 */
import type { Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '$lib/engine';
import { MemoryFiles, MemoryTables } from '$lib/storage';
import type { TrainRequest } from '$lib/rpc/engine-api';
import { FailingGpu } from './failing-gpu';
import { alpaca, baseUrlOf, requestOf, serveBundled, silent } from './harness';

const ROWS = Array.from({ length: 24 }, (_, i) => ({
  instruction: `问题${i}`.repeat(1 + (i % 4)),
  input: '',
  output: `答案${i}`.repeat(3 + i),
}));

const RECIPES: [what: string, more: Partial<TrainRequest['training']>][] = [
  ['the common recipe', {}],
  ['evaluations', { eval_strategy: 'steps', eval_steps: 1 }],
  ['layers that are computed again', { gradient_checkpointing: true }],
  ['moments in 8 bits', { optim: 'adamw_8bit' }],
];

describe('before there is data', () => {
  let server: Server;
  beforeAll(async () => {
    server = await serveBundled();
  });
  afterAll(() => void server.close());

  async function start(training: Partial<TrainRequest['training']> = {}) {
    const gpu = new FailingGpu();
    const baseUrl = baseUrlOf(server);
    const engine = createEngine({
      ...{ files: new MemoryFiles(), tables: new MemoryTables() },
      ...{ gpu: gpu.entry, baseUrl },
    });
    const { dataset } = await engine.importDataset({ file: alpaca(ROWS) }, silent());
    const common = requestOf(dataset!.id, { evalShare: 0.25 });
    const once = { max_steps: 1, save_strategy: 'no' } as const;
    const request = { ...common, training: { ...common.training, ...once, ...training } };
    const { modelId, peft } = request;
    return { engine, gpu, request, settings: { modelId, peft, training: request.training } };
  }

  it.each(RECIPES)('the kernels of a run are compiled: %s', async (_, training) => {
    const { engine, gpu, request, settings } = await start(training);
    await engine.compileAhead(settings, silent());
    const ahead = gpu.compiled.length;
    expect(ahead).toBeGreaterThan(20);
    expect((await engine.train(request, silent())).step).toBe(1);
    expect(gpu.compiled.slice(ahead)).toEqual([]);
  });

  it('a run compiles them itself where nobody has: the control', async () => {
    const { engine, gpu, request } = await start();
    await engine.train(request, silent());
    expect(gpu.compiled.length).toBeGreaterThan(20);
  });

  it('takes no memory but that of the open model', async () => {
    const { engine, settings } = await start();
    const { gpuBytes } = await engine.openModel({ modelId: settings.modelId }, silent());
    await engine.compileAhead(settings, silent());
    const after = await engine.openModel({ modelId: settings.modelId }, silent());
    expect(after.gpuBytes).toBe(gpuBytes);
  });

  it('is nothing while a run is going on', async () => {
    const { engine, gpu, request, settings } = await start();
    let compiled: number[] = [];
    await engine.train(request, {
      ...silent(),
      progress: (event) => {
        if (event.kind !== 'prepared') return;
        const before = gpu.compiled.length;
        const other = { ...settings, training: { ...settings.training, packing: true } };
        void engine.compileAhead(other, silent()).then(() => {
          compiled = [before, gpu.compiled.length];
        });
      },
    });
    expect(compiled[1]).toBe(compiled[0]);
  });

  it('a caller that leaves takes the model from nobody else who waits for it', async () => {
    const { engine, settings } = await start();
    const leaving = new AbortController();
    const left = engine.compileAhead(settings, { ...silent(), signal: leaving.signal });
    const opening = engine.openModel({ modelId: settings.modelId }, silent());
    leaving.abort();
    await expect(left).rejects.toMatchObject({ name: 'AbortError' });
    expect((await opening).id).toBe(settings.modelId);
  });
});
