/**
 * Plan: what a run needs is compiled before there is data, for several recipes, so that its start compiles nothing; nothing is
 * allocated for it; it gives way to a run, and ends quietly where its caller leaves. A model that lies on this device but is
 * not open is not opened for it, nor to measure rows, count parameters, show tokens or tell memory; its first step compiles
 * nothing all the same, and the answers are those of the open model. Cleared by the browser, it says so.
 */
import type { Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '$lib/engine';
import { MemoryFiles, MemoryTables } from '$lib/storage';
import type { TrainRequest } from '$lib/rpc/engine-api';
import { FailingGpu } from './failing-gpu';
import { importSmallModel, importTokenRows } from './small-model';
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
    const files = new MemoryFiles();
    const tables = new MemoryTables();
    const engine = createEngine({
      ...{ files, tables },
      ...{ gpu: gpu.entry, baseUrl },
    });
    const { dataset } = await engine.importDataset({ file: alpaca(ROWS) }, silent());
    const common = requestOf(dataset!.id, { evalShare: 0.25 });
    const once = { max_steps: 1, save_strategy: 'no' } as const;
    const request = { ...common, training: { ...common.training, ...once, ...training } };
    const { modelId, peft } = request;
    const settings = { modelId, peft, training: request.training };
    return { engine, gpu, files, tables, request, settings };
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

  it('a model that is not open is known without its weights, and not opened', async () => {
    const { engine, gpu, files, tables, request, settings } = await start();
    const modelId = await importSmallModel(engine);
    const { id, gpuBytes } = await engine.openModel({ modelId: 'nano-lm' }, silent());
    const taken = gpu.takenBytes;
    const about = { ...settings, modelId };
    const datasetId = await importTokenRows(engine);
    const { evalShare } = request;
    const run = { ...request, modelId, datasetId };
    const { max_length: maxLength, seed } = request.training;
    const rows = { modelId, datasetId, maxLength, trainOnPrompt: false };
    const look = async () => ({
      inspection: await engine.inspectData({ ...rows, evalShare, seed }, silent()),
      preview: await engine.previewRow({ ...rows, index: 3 }, silent()),
      counts: await engine.countParameters({ modelId, peft: request.peft }, silent()),
      prediction: await engine.predictTraining(run, silent()),
    });
    await engine.compileAhead(about, silent());
    const unopened = await look();
    expect(unopened.prediction.memory.weights).toBeGreaterThan(0);
    expect(gpu.takenBytes).toBe(taken);

    const ahead = gpu.compiled.length;
    expect(ahead).toBeGreaterThan(20);
    expect((await engine.train(run, silent())).step).toBe(1);
    expect(gpu.compiled.slice(ahead)).toEqual([]);
    expect(await look()).toEqual(unopened);

    expect((await engine.openModel({ modelId: id }, silent())).gpuBytes).toBe(gpuBytes);
    await files.remove(`models/${modelId}/model.safetensors`);
    await files.remove(`models/${modelId}/tokenizer.json`);
    const again = createEngine({
      ...{ files, tables, gpu: gpu.entry, baseUrl: baseUrlOf(server) },
    });
    await expect(again.compileAhead(about, silent())).rejects.toMatchObject({ code: 'evicted' });
  });
});
