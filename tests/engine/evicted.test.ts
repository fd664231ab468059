/**
 * A browser that is short of space may clear files while their records stay. What is gone is told of by a
 * code and one sentence, or made anew; what is left can be used, and deleted.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { goesOnFrom } from '$lib/state/ways-on';
import type { EngineApi, RunSummary, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { findRun, refusalOf, startEngine, takeAdapter } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

let disk: Disk;
let engine: EngineApi;
let request: TrainRequest;

beforeEach(async () => {
  const gpu = new FailingGpu();
  disk = new Disk();
  engine = startEngine(disk, { gpu });
  const training = { save_strategy: 'steps', save_steps: 2, max_steps: 5 } as const;
  request = smallRun(await importSmallModel(engine), await importTokenRows(engine), training);
  return () => gpu.loseDevice();
});

/** As after a reload: nothing of the model is in memory. */
const reload = () => (engine = startEngine(disk));

const evict = async (pattern: RegExp) => {
  const gone = (await disk.files.list('')).filter(({ path }) => pattern.test(path));
  expect(gone, String(pattern)).not.toHaveLength(0);
  for (const { path } of gone) await disk.files.remove(path);
};

async function interruptedRun(name = request.name): Promise<RunSummary> {
  const stop = new AbortController();
  const progress = (event: TrainEvent) => {
    if (event.kind === 'step' && event.step === 3) stop.abort();
  };
  return engine.train({ ...request, name }, { signal: stop.signal, progress });
}

describe('cleared files', () => {
  it('of an imported model: it says so by name, can be deleted and imported again', async () => {
    for (const files of ['model\\.safetensors$', '.*json$', '']) {
      const modelId = await importSmallModel(engine);
      await evict(new RegExp(`^models/${modelId}/${files}`));
      const refused = await refusalOf(engine.openModel({ modelId }, silent()));
      expect(refused).toMatchObject({ code: 'evicted', details: { name: 'small' } });
      expect(refused.message).toMatch(/^small is no longer whole on this device/);
      const train = engine.train({ ...request, modelId }, silent());
      expect(await refusalOf(train)).toMatchObject({ code: 'evicted' });
      await engine.deleteModel({ modelId }, silent());
    }
    // The control: one that was left alone.
    expect(await engine.openModel({ modelId: request.modelId }, silent())).toMatchObject({
      name: 'small',
    });
  });

  it('of an imported model: imported again it takes its old place, and its run goes on', async () => {
    const expected = await takeAdapter(disk, await engine.train(request, silent()));
    const run = await interruptedRun();
    await evict(new RegExp(`^models/${run.modelId}/.*safetensors$`));
    reload();
    const resume = () => engine.train({ ...request, resumeRunId: run.id }, silent());
    expect(await refusalOf(resume())).toMatchObject({ code: 'evicted' });
    expect(await importSmallModel(engine)).toBe(run.modelId);
    expect((await disk.files.list('models')).map(({ path }) => path.split('/')[1])).toEqual(
      expect.arrayContaining([run.modelId]),
    );
    expect(await takeAdapter(disk, await resume())).toEqual(expected);
    // The control: a whole one is not replaced.
    expect(await importSmallModel(engine)).not.toBe(run.modelId);
  });

  it('of a catalogue model: it is downloaded again', async () => {
    const { id } = (await engine.listModels(undefined, silent())).find(
      ({ origin }) => origin === 'catalogue',
    )!;
    const [model] = (await engine.listModels(undefined, silent())).filter((each) => each.id === id);
    await disk.tables.put('models', { ...model, present: true, schemaVersion: 1 } as never);
    const stages: string[] = [];
    const progress = ({ stage }: { stage: string }) => stages.push(stage);
    // No host answers here, and the seal is a reason not even to ask: the sentence is the hub's.
    await disk.tables.put('settings', { id: 'seal', schemaVersion: 1, closed: true } as never);
    const opened = engine.openModel({ modelId: id }, { ...silent(), progress });
    expect(await refusalOf(opened)).toMatchObject({ code: 'sealed' });
    expect(stages).toEqual(['read']);
  });

  it('of a catalogue model that is only looked at: it is one to download again, and nothing is fetched', async () => {
    const [model] = (await engine.listModels(undefined, silent())).filter(
      ({ origin }) => origin === 'catalogue',
    );
    await disk.tables.put('models', { ...model, present: true, schemaVersion: 1 } as never);
    await disk.tables.put('settings', { id: 'seal', schemaVersion: 1, closed: true } as never);
    const { peft, training } = request;
    const looked = engine.compileAhead({ modelId: model.id, peft, training }, silent());
    expect(await refusalOf(looked)).toMatchObject({ code: 'evicted' });
    const after = await engine.listModels(undefined, silent());
    expect(after.find(({ id }) => id === model.id)).toMatchObject({ present: false });
  });

  it('of a data set: imported again it takes its old place, and its run goes on', async () => {
    const expected = await takeAdapter(disk, await engine.train(request, silent()));
    const run = await interruptedRun();
    await disk.tables.removeRows(request.datasetId);
    const resume = () => engine.train({ ...request, resumeRunId: run.id }, silent());
    expect(await refusalOf(resume())).toMatchObject({ code: 'evicted' });
    expect(await importTokenRows(engine)).toBe(request.datasetId);
    expect(await takeAdapter(disk, await resume())).toEqual(expected);
    // The control: a whole one is not replaced.
    expect(await importTokenRows(engine)).not.toBe(request.datasetId);
  });

  it('of a data set: a run over fewer rows than it has is refused, not begun', async () => {
    const { datasetId } = request;
    await disk.tables.removeRows(datasetId);
    const refusal = { code: 'evicted', details: { name: 'rows' } };
    expect(await refusalOf(engine.train(request, silent()))).toMatchObject(refusal);
    const read = engine.readRows({ datasetId, start: 0, count: 5 }, silent());
    expect(await refusalOf(read)).toMatchObject(refusal);
    await engine.deleteDataset({ datasetId }, silent());
    expect(await findRun(disk, request.name)).toBeUndefined();
  });

  it('of a checkpoint: a run begins anew, says so, and ends in the same bytes', async () => {
    const expected = await takeAdapter(disk, await engine.train(request, silent()));
    const run = await interruptedRun();
    expect(run).toMatchObject({ status: 'stopped', step: 3 });
    await evict(new RegExp(`^runs/${run.id}/`));
    reload();
    const starts: number[] = [];
    const progress = (event: TrainEvent) => {
      if (event.kind === 'prepared') starts.push(event.startStep);
    };
    const resumed = await engine.train(
      { ...request, resumeRunId: run.id },
      { ...silent(), progress },
    );
    expect(starts).toEqual([0]);
    expect(resumed).toMatchObject({ id: run.id, status: 'finished', step: 5 });
    expect(resumed.log.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
    expect(await takeAdapter(disk, resumed)).toEqual(expected);
  });

  it('of a part of a checkpoint: no run goes on from it; it begins anew, and can be deleted', async () => {
    const expected = await takeAdapter(disk, await engine.train(request, silent()));
    for (const file of ['trainer_state.json', 'adapter_model.safetensors']) {
      const name = `without ${file}`;
      const run = await interruptedRun(name);
      expect(goesOnFrom(run)).toBe(3);
      await evict(new RegExp(`^runs/${run.id}/checkpoint-3/${file}$`));
      reload();
      expect(goesOnFrom((await findRun(disk, name))!), file).toBeUndefined();
      const resumed = await engine.train({ ...request, name, resumeRunId: run.id }, silent());
      expect(await takeAdapter(disk, resumed)).toEqual(expected);
      await engine.deleteRun({ runId: run.id }, silent());
      expect(await findRun(disk, name)).toBeUndefined();
    }
  });

  it('of an adapter: taking it away says what is missing; the model and other adapters work', async () => {
    const run = await interruptedRun();
    const other = await engine.train({ ...request, name: 'other' }, silent());
    const { modelId, adapterId } = run;
    await evict(new RegExp(`^(adapters/${adapterId}|runs/${run.id})/.*adapter_model.safetensors$`));
    reload();
    const taken = engine.exportModel({ modelId, adapterId, format: 'peft' }, silent());
    expect(await refusalOf(taken)).toMatchObject({ code: 'not-found' });
    expect(await takeAdapter(disk, other)).toHaveLength(4);
  });
});
