/**
 * The engine over memory instead of a browser's storage, on Dawn: what a person can do with data,
 * runs, adapters and exports. Talking is the browser tests' part: ONNX Runtime's GPU needs one.
 */
import type { Server } from 'node:http';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { COMMON_RECIPE } from '$lib/config';
import { createEngine } from '$lib/engine';
import { chooseStorage, chooseTalkBackend } from '$lib/engine/known-model';
import type { Gpu } from '$lib/gpu';
import { parseSafetensorsHeader, readZip } from '$lib/formats';
import type { EngineApi, TrainEvent } from '$lib/rpc/engine-api';
import { holdLock, MemoryFiles, MemoryTables, RUN_LOCK } from '$lib/storage';
import { testEntry } from '../dawn';
import { alpaca, baseUrlOf, requestOf, ROWS, serveBundled, silent, takePeft } from './harness';
import { importSmallModel } from './small-model';

const gpu = testEntry();

describe('what answers, and how weights lie', () => {
  const graphics = { isSoftware: false } as Gpu;
  const software = { isSoftware: true } as Gpu;
  const LARGE = 100e6;

  it('a graphics card answers, a software adapter leaves it to the processor, unless asked to', () => {
    expect(chooseTalkBackend(graphics, 'auto')).toBe('webgpu');
    expect(chooseTalkBackend(software, 'auto')).toBe('wasm');
    expect(chooseTalkBackend(software, 'webgpu')).toBe('webgpu');
    expect(chooseTalkBackend(graphics, 'wasm')).toBe('wasm');
    expect(chooseTalkBackend(undefined, 'webgpu')).toBe('wasm');
  });

  it('16 bits for large models that the trainer alone reads', () => {
    expect(chooseStorage('wasm', LARGE)).toBe('stored');
    expect(chooseStorage('wasm', 5e6)).toBe('f32');
    expect(chooseStorage('webgpu', LARGE)).toBe('f32');
  });
});

describe('the engine', () => {
  let server: Server;
  let files: MemoryFiles;
  let tables: MemoryTables;
  let engine: EngineApi;

  const startOn = (entry: GPU | undefined) => {
    return createEngine({ files, tables, gpu: entry, baseUrl: baseUrlOf(server) });
  };
  const start = () => startOn(gpu);

  beforeAll(async () => {
    server = await serveBundled();
  });
  afterAll(() => void server.close());
  beforeEach(() => {
    files = new MemoryFiles();
    tables = new MemoryTables();
    engine = start();
  });

  const importRows = async (rows: object[] = ROWS) => {
    const { dataset } = await engine.importDataset({ file: alpaca(rows) }, silent());
    return dataset!.id;
  };

  it('lists the bundled model and samples, and recommends a recipe for them on the bundled model', async () => {
    const models = await engine.listModels(undefined, silent());
    expect(models.filter(({ present }) => present).map(({ id }) => id)).toEqual(['nano-lm']);
    expect(models.length).toBeGreaterThan(3);
    const names = (await engine.listDatasets(undefined, silent())).map(({ id }) => id);
    expect(names).toEqual(expect.arrayContaining(['medical-zh', 'medical-en-eval']));
    const recipe = await engine.recommendRecipe(
      { modelId: 'nano-lm', datasetId: 'medical-en' },
      silent(),
    );
    expect(recipe?.lora.r).toBeGreaterThan(0);
    expect(recipe?.training.learning_rate).toBeGreaterThan(0);
    const other = { modelId: 'nano-lm', datasetId: 'customer-service-zh' };
    expect(await engine.recommendRecipe(other, silent())).toEqual(recipe);
    const larger = models.find(({ origin }) => origin === 'catalogue')!.id;
    expect(
      await engine.recommendRecipe({ modelId: larger, datasetId: 'medical-en' }, silent()),
    ).toBeUndefined();
    const counts = await engine.countParameters(
      { modelId: 'nano-lm', peft: COMMON_RECIPE.lora },
      silent(),
    );
    expect(counts.allParams).toBeGreaterThan(counts.trainableParams);
  });

  it('trains, logs, checkpoints, keeps the adapter, and takes it away in three forms', async () => {
    const events: TrainEvent[] = [];
    const run = await engine.train(requestOf(await importRows()), {
      ...silent(),
      progress: (event) => events.push(event),
    });
    expect(run).toMatchObject({ status: 'finished', step: 4, totalSteps: 4 });
    expect(events.filter(({ kind }) => kind === 'step')).toHaveLength(4);
    expect(events.filter(({ kind }) => kind === 'checkpoint')).toHaveLength(2);
    const [adapter] = await engine.listAdapters(undefined, silent());
    expect(adapter.id).toBe(run.adapterId);

    const take = async (format: 'peft' | 'safetensors' | 'onnx') => {
      const { file } = await engine.exportModel(
        { modelId: 'nano-lm', adapterId: adapter.id, format },
        silent(),
      );
      return new Map(
        readZip(new Uint8Array(await file.arrayBuffer())).map((e) => [e.name, e.read()]),
      );
    };
    const peft = await take('peft');
    expect([...peft.keys()].sort()).toEqual([
      'README.md',
      'adapter_config.json',
      'adapter_model.safetensors',
      'trainer_state.json',
    ]);
    const merged = await take('safetensors');
    const weights = merged.get('model.safetensors')!;
    const header = parseSafetensorsHeader(weights, {
      fileName: 'm',
      fileSizeBytes: weights.length,
    });
    expect(header.tensors.some(({ name }) => name === 'model.norm.weight')).toBe(true);
    expect(merged.has('tokenizer.json')).toBe(true);
    expect((await take('onnx')).has('onnx/model.onnx_data')).toBe(true);

    const kept = await engine.merge(
      { modelId: 'nano-lm', adapterId: adapter.id, name: 'merged' },
      silent(),
    );
    expect(kept).toMatchObject({ origin: 'merged', name: 'merged' });
    const opened = await engine.openModel({ modelId: kept.id }, silent());
    expect(opened.parameterCount).toBe(kept.parameterCount);
  });

  it('goes on from the last checkpoint after the tab was killed, to the same bytes', async () => {
    const datasetId = await importRows();
    const whole = await engine.train(requestOf(datasetId), silent());
    const bytesOf = async (adapterId: string) =>
      (await takePeft(engine, adapterId)).get('adapter_model.safetensors')!;
    const expected = await bytesOf(whole.adapterId!);

    const killed = start();
    let runId = '';
    const died = killed.train(requestOf(datasetId), {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'prepared') runId = event.runId;
        if (event.kind === 'step' && event.step === 3) throw new Error('the tab is gone');
      },
    });
    await expect(died).rejects.toThrow('the tab is gone');
    // As the record would be, had the tab really died.
    const record = (await tables.get('runs', runId))!;
    await tables.put('runs', { ...record, status: 'running' } as typeof record);
    const again = start();
    const listed = (await again.listRuns(undefined, silent())).find(({ id }) => id === runId)!;
    expect(listed).toMatchObject({ status: 'interrupted' });
    const resumed = await again.train(requestOf(datasetId, { resumeRunId: runId }), silent());
    expect(resumed).toMatchObject({ id: runId, status: 'finished', step: 4 });
    expect(resumed.log.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(await bytesOf(resumed.adapterId!)).toEqual(expected);
  });

  it('pauses, goes on, stops and keeps, stops and discards', async () => {
    const datasetId = await importRows();
    const long = requestOf(datasetId);
    long.training = { ...long.training, max_steps: 50, save_strategy: 'no' };
    const seen: string[] = [];
    const kept = await engine.train(long, {
      ...silent(),
      progress: (event) => {
        seen.push(event.kind);
        if (event.kind === 'step' && event.step === 1)
          void engine.pauseTraining(undefined, silent());
        if (event.kind === 'paused')
          setTimeout(() => void engine.resumeTraining(undefined, silent()), 50);
        if (event.kind === 'step' && event.step === 3)
          void engine.stopTraining({ keep: true }, silent());
      },
    });
    expect(seen).toContain('paused');
    expect(seen).toContain('resumed');
    expect(kept).toMatchObject({ status: 'stopped', step: 3 });
    expect(await engine.listAdapters(undefined, silent())).toMatchObject([{ step: 3 }]);
    const gone = await engine.train(long, {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'step') void engine.stopTraining({ keep: false }, silent());
      },
    });
    expect(gone.adapterId).toBeUndefined();
    expect((await engine.listRuns(undefined, silent())).map(({ id }) => id)).toEqual([kept.id]);
  });

  it('refuses what cannot work, in one sentence, and leaves the data as it was', async () => {
    const fail = async (work: Promise<unknown>) => {
      const error = (await work.then(
        () => undefined,
        (reason: unknown) => reason,
      )) as { code: string; message: string };
      return `${error.code}: ${error.message}`;
    };
    const datasetId = await importRows();
    const cut = requestOf(datasetId);
    cut.training = { ...cut.training, max_length: 2 };
    expect(await fail(engine.train(cut, silent()))).toMatch(
      /^answers-cut: All 8 rows lose their answer at max_length 2/,
    );
    const notJson = engine.importDataset({ file: new File(['%PDF-1.7'], 'a.pdf') }, silent());
    expect(await fail(notJson)).toMatch(/a\.pdf/);
    expect(await fail(engine.importDataset({ file: alpaca([]) }, silent()))).toMatch(/rows\.json/);
    const other = await engine.importDataset(
      { file: alpaca([{ frage: 'a', antwort: 'b' }]) },
      silent(),
    );
    expect(other.dataset).toBeUndefined();
    expect(other.columns).toEqual(['frage', 'antwort']);
    const mapping = { instruction: 'frage', output: 'antwort' };
    const mapped = await engine.importDataset(
      { file: alpaca([{ frage: 'a', antwort: 'b' }]), mapping },
      silent(),
    );
    expect(mapped.dataset?.rowCount).toBe(1);
    const numbers = engine.importDataset({ file: new File(['[1]'], 'n.json') }, silent());
    expect(await fail(numbers)).toMatch(/^wrong-format: n\.json holds no row/);
    const zip = zipSync({ 'config.json': new TextEncoder().encode('{}'.padEnd(64)) }, { level: 0 });
    zip[50] ^= 1;
    const damaged = engine.importModel({ files: [new File([zip], 'm.zip')], name: 'x' }, silent());
    expect(await fail(damaged)).toMatch(/^corrupt: m\.zip is a damaged zip archive/);
    const noWeights = [new File(['{}'], 'tokenizer.json')];
    expect(await fail(engine.importModel({ files: noWeights, name: 'x' }, silent()))).toMatch(
      /bad-files: There is no config.json/,
    );
    expect(await fail(engine.deleteModel({ modelId: 'nano-lm' }, silent()))).toMatch(/^bundled/);
    expect(await fail(engine.openModel({ modelId: 'nowhere' }, silent()))).toMatch(/^not-found/);
    await holdLock(RUN_LOCK, {}, async () => {
      expect(await fail(engine.train(requestOf(datasetId), silent()))).toMatch(/^second-tab/);
    });
    expect(await engine.readRows({ datasetId, start: 0, count: 100 }, silent())).toEqual(ROWS);
  });

  it('tells how data were read and what of them was not, and reads them another way', async () => {
    engine = startOn(undefined);
    const turns = [
      { role: 'user', content: 'Is the sea blue?' },
      { role: 'assistant', content: 'Yes', name: 'Li' },
    ];
    const row = { instruction: 'colour', output: 'blue', system: 'be brief', spoken: turns };
    const take = (rows: object[], mapping?: Record<string, string>) =>
      engine!.importDataset({ file: alpaca(rows), mapping }, silent());
    const known = await take([row]);
    expect(known).toMatchObject({
      dataset: { schema: 'alpaca', rowCount: 1 },
      schema: 'alpaca',
      suggestedMapping: { instruction: 'instruction', output: 'output', system: 'system' },
      unusedColumns: ['spoken'],
    });
    const other = await take([row], { messages: 'spoken', system: 'system' });
    expect(other).toMatchObject({
      dataset: { schema: 'messages', rowCount: 1 },
      suggestedMapping: { messages: 'spoken', system: 'system' },
      unusedColumns: ['instruction', 'output', 'messages[].name'],
    });
    const datasetId = other.dataset!.id;
    expect(await engine.readRows({ datasetId, start: 0, count: 1 }, silent())).toEqual([
      { instruction: 'Is the sea blue?', input: 'system: be brief', output: 'Yes' },
    ]);
    // Known columns of which no row can be used: a report to go on from, not a refusal.
    const none = await take([{ ...row, output: 3 }]);
    expect(none.dataset).toBeUndefined();
    expect(none).toMatchObject({
      schema: 'alpaca',
      problems: [{ row: 1, field: 'output', kind: 'wrong-type', found: 'a number: 3' }],
    });
    expect((await engine.listDatasets(undefined, silent())).length).toBeGreaterThanOrEqual(2);
  });

  it('names loose files of a model by what they are', async () => {
    const id = await importSmallModel(engine, '');
    const models = await engine.listModels(undefined, silent());
    expect(models.find((model) => model.id === id)?.name).toBe('Llama-1M');
  });

  it('without WebGPU says why it cannot train, and still opens the model for talking', async () => {
    engine = startOn(undefined);
    const device = await engine.describeDevice(undefined, silent());
    expect(device).toMatchObject({ backend: 'wasm', talksOn: 'wasm', isSoftwareAdapter: false });
    expect(device).toMatchObject({ trainingBlocked: { code: 'no-webgpu' } });
    await expect(engine.train(requestOf(await importRows()), silent())).rejects.toMatchObject({
      code: 'no-training',
    });
    expect(await engine.openModel({ modelId: 'nano-lm' }, silent())).toMatchObject({
      backend: 'wasm',
    });
  });
});
