/**
 * Plan: a run that was broken off goes on only with the rows and the model that it began with. Data that was deleted and
 * imported again are the same data; other rows, and another revision of the model, are refused by name.
 */
import { beforeEach, expect, it } from 'vitest';
import type {
  EngineApi,
  ModelSummary,
  RunSummary,
  TrainEvent,
  TrainRequest,
} from '$lib/rpc/engine-api';
import type { TableRecord } from '$lib/storage';
import { findRun, refusalOf, startEngine, takeAdapter } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

let disk: Disk;
let engine: EngineApi;
let request: TrainRequest;
let run: RunSummary;

beforeEach(async () => {
  const gpu = new FailingGpu();
  disk = new Disk();
  engine = startEngine(disk, { gpu });
  const training = { save_strategy: 'steps', save_steps: 2, max_steps: 5 } as const;
  request = smallRun(await importSmallModel(engine), await importTokenRows(engine), training);
  const stop = new AbortController();
  const progress = (event: TrainEvent) => {
    if (event.kind === 'step' && event.step === 3) stop.abort();
  };
  run = await engine.train({ ...request, name: 'broken off' }, { signal: stop.signal, progress });
  return () => gpu.loseDevice();
});

const goOn = () => engine.train({ ...request, name: 'broken off', resumeRunId: run.id }, silent());
const change = <Value extends TableRecord>(
  table: 'datasets' | 'models' | 'runs',
  id: string,
  changes: Partial<Value>,
) => disk.tables.update<Value>(table, id, (found) => ({ ...found!, ...changes }));

it('with data that was deleted and imported again, to the same bytes', async () => {
  const expected = await takeAdapter(disk, await engine.train(request, silent()));
  await engine.deleteDataset({ datasetId: request.datasetId }, silent());
  const refused = await refusalOf(goOn());
  expect(refused).toMatchObject({ code: 'data-gone', details: { name: 'rows' } });
  expect(refused.message).toMatch(/^rows, which this run learns from, is no longer on this device/);
  const datasetId = await importTokenRows(engine);
  const resumed = await goOn();
  expect(resumed).toMatchObject({ id: run.id, datasetId, status: 'finished' });
  expect(await takeAdapter(disk, resumed)).toEqual(expected);
});

it('with a model that was deleted and imported again, and its adapter can be taken away', async () => {
  const expected = await takeAdapter(disk, await engine.train(request, silent()));
  await engine.closeModel(undefined, silent());
  await engine.deleteModel({ modelId: request.modelId }, silent());
  expect(await refusalOf(goOn())).toMatchObject({
    code: 'not-found',
    details: { id: request.modelId },
  });
  expect(await importSmallModel(engine)).toBe(request.modelId);
  expect(new Set((await disk.files.list('models')).map(({ path }) => path.split('/')[1]))).toEqual(
    new Set([request.modelId]),
  );
  expect(await takeAdapter(disk, await goOn())).toEqual(expected);
});

it('a run that names no place for a model makes none, and touches no other', async () => {
  const { provenance } = (await findRun(disk, 'broken off'))!;
  const paths = async () => (await disk.files.list('models')).map(({ path }) => path);
  for (const modelId of [`${request.modelId}/config.json`, '', '..', 'nano-lm', 'models']) {
    await change<TableRecord & RunSummary>('runs', run.id, { modelId, provenance });
    const before = await paths();
    const id = await importSmallModel(engine);
    expect(id).not.toBe(modelId);
    expect(await paths()).toEqual(expect.arrayContaining(before));
    await engine.deleteModel({ modelId: id }, silent());
  }
});

it('not with other rows under the same name', async () => {
  const { provenance } = (await findRun(disk, 'broken off'))!;
  const dataset = { ...provenance!.dataset, hash: 'of other rows' };
  await change<TableRecord & RunSummary>('runs', run.id, {
    provenance: { ...provenance!, dataset },
  });
  expect(await refusalOf(goOn())).toMatchObject({
    code: 'data-changed',
    details: { name: 'rows' },
  });
  // The control.
  await change<TableRecord & RunSummary>('runs', run.id, { provenance });
  expect(await goOn()).toMatchObject({ status: 'finished' });
});

it('not with other weights, or another revision, of its model', async () => {
  const { provenance } = (await findRun(disk, 'broken off'))!;
  expect(provenance!.model.weightsHash).toMatch(/^[0-9a-f]{64}$/);
  let { model } = provenance!;
  const set = async (key: 'revision' | 'weightsHash', begunWith: string, here: string) => {
    model = { ...model, [key]: begunWith };
    await change<TableRecord & RunSummary>('runs', run.id, {
      provenance: { ...provenance!, model },
    });
    await change<TableRecord & ModelSummary>('models', request.modelId, { [key]: here });
    engine = startEngine(disk);
  };
  for (const key of ['weightsHash', 'revision'] as const) {
    await set(key, 'one', 'two');
    expect(await refusalOf(goOn()), key).toMatchObject({
      code: 'model-changed',
      details: { name: 'small' },
    });
    await set(key, 'one', 'one');
  }
  expect(await goOn()).toMatchObject({ status: 'finished' });
});
