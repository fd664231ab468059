/**
 * Plan: a run's card says on exactly which weights it was made. The bundled model has the hash of its file, told by
 * the build; an imported and a merged one that of theirs, as any program computes it; shards have one together; an
 * archive brings it along and cannot claim another.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '$lib/engine';
import { weightsHashOf } from '$lib/engine/weights-hash';
import { makeRunCard } from '$lib/state/run-card';
import type { RunSummary } from '$lib/rpc/engine-api';
import { MemoryFiles, MemoryTables } from '$lib/storage';
import { agreeing, editJson, takeApart } from './archive-surgery';
import { startEngine, refusalOf } from './engines';
import { FailingGpu } from './failing-gpu';
import { exportAll, importAll } from './full-store';
import { alpaca, baseUrlOf, requestOf, ROWS, serveBundled } from './harness';
import { Disk } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

const cardOf = (run: RunSummary) =>
  makeRunCard(run, {
    ...{ model: undefined, dataset: undefined, evalDataset: undefined },
    appVersion: '1',
  });

describe('the card of a run', () => {
  const gpu = new FailingGpu();
  let server: Awaited<ReturnType<typeof serveBundled>>;
  beforeAll(async () => {
    server = await serveBundled();
  });
  afterAll(() => {
    server.close();
    gpu.loseDevice();
  });

  const storedHash = async (disk: Disk, modelId: string) => {
    const file = await disk.files.readFile(`models/${modelId}/model.safetensors`);
    return sha256(new Uint8Array(await file.arrayBuffer()));
  };

  it('names the weights of the bundled model', async () => {
    const stores = { files: new MemoryFiles(), tables: new MemoryTables() };
    const engine = createEngine({ ...stores, gpu: gpu.entry, baseUrl: baseUrlOf(server) });
    const { dataset } = await engine.importDataset({ file: alpaca(ROWS) }, silent());
    const request = requestOf(dataset!.id);
    const run = await engine.train(
      { ...request, training: { ...request.training, max_steps: 1 } },
      silent(),
    );
    const weights = readFileSync(
      new URL('../../models/nano-lm/model.safetensors', import.meta.url),
    );
    expect(cardOf(run).model.sha256).toBe(sha256(weights));
  });

  it('names those of an imported model, and a merged model has its own', async () => {
    const disk = new Disk();
    const engine = startEngine(disk, { gpu });
    const modelId = await importSmallModel(engine);
    // The first step has rate 0: it would leave the weights as they are.
    const request = smallRun(modelId, await importTokenRows(engine), { max_steps: 3 });
    const run = await engine.train(request, silent());
    const { sha256: named } = cardOf(run).model;
    expect(named).toBe(await storedHash(disk, modelId));
    const asked = { modelId, adapterId: run.adapterId!, name: 'merged' };
    const merged = await engine.merge(asked, silent());
    expect(merged.weightsHash).toBe(await storedHash(disk, merged.id));
    expect(merged.weightsHash).not.toBe(named);
  });

  it('of a model that an older version took in leaves them out', async () => {
    const disk = new Disk();
    const engine = startEngine(disk, { gpu });
    const modelId = await importSmallModel(engine);
    await disk.tables.update<{ id: string; schemaVersion: number }>('models', modelId, (found) => ({
      ...found!,
      weightsHash: undefined,
    }));
    const request = smallRun(modelId, await importTokenRows(engine), { max_steps: 1 });
    const card = JSON.parse(JSON.stringify(cardOf(await engine.train(request, silent()))));
    expect(card.model.name).toBe('small');
    expect(card.model).not.toHaveProperty('sha256');
  });
});

describe('the hash of weights', () => {
  it('is that of one file, and of several what sha256sum says of its own lines', () => {
    const [a, b] = ['1', '2'].map(sha256);
    expect(
      weightsHashOf(
        new Map([
          ['model.safetensors', a],
          ['config.json', b],
        ]),
      ),
    ).toBe(a);
    const lines = `${a}  model-1.safetensors\n${b}  model-2.safetensors\n`;
    const shards = new Map([
      ['model-2.safetensors', b],
      ['model-1.safetensors', a],
    ]);
    expect(weightsHashOf(shards)).toBe(sha256(lines));
    expect(weightsHashOf(new Map([['model.safetensors', undefined]]))).toBeUndefined();
    expect(weightsHashOf(new Map([['config.json', a]]))).toBeUndefined();
  });

  it('comes along in an archive, which cannot claim another', async () => {
    const disk = new Disk();
    const modelId = await importSmallModel(startEngine(disk));
    const parts = await takeApart(await exportAll(disk));
    const there = new Disk();
    await importAll(there, agreeing(parts));
    const hashOn = async (on: Disk) =>
      (await startEngine(on).listModels(undefined, silent())).find(({ id }) => id === modelId)
        ?.weightsHash;
    expect(await hashOn(there)).toBe(await hashOn(disk));
    expect(await hashOn(there)).toMatch(/^[0-9a-f]{64}$/);
    editJson(parts, `models/${modelId}/record.json`, (record) => ({
      ...record,
      weightsHash: 'a'.repeat(64),
    }));
    const elsewhere = new Disk();
    expect(await refusalOf(importAll(elsewhere, agreeing(parts)))).toMatchObject({
      code: 'wrong-archive',
      message: expect.stringMatching(/weights of models\/.* are not those of its record/),
    });
    expect(await hashOn(elsewhere)).toBeUndefined();
  });
});
