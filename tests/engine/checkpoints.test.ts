/**
 * Plan: every checkpoint of a run is an adapter of its own, up to `save_total_limit`; `adapter-X` is the
 * newest; deleting one, a run, a run but for its newest adapter; what older versions stored still opens,
 * once; a crash after the last checkpoint is a finished run; a full device: the run goes on, its last
 * checkpoint waits for room, also where it was stopped in a pause, giving up leaves an interrupted run, and after space is freed both end in the
 * bytes of a run that was never disturbed; what can be freed is measured and freed, and nothing else.
 */
import type { Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createEngine } from '$lib/engine';
import type { EngineApi, RunSummary, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import {
  MemoryFiles,
  MemoryTables,
  storageFull,
  type TableName,
  type TableRecord,
} from '$lib/storage';
import { testEntry } from '../dawn';
import { alpaca, baseUrlOf, requestOf, ROWS, serveBundled, silent, takePeft } from './harness';

const gpu = testEntry();

const WEIGHTS = 'adapter_model.safetensors';

describe('checkpoints of a run', () => {
  let server: Server;
  let files: MemoryFiles;
  let tables: MemoryTables;
  let engine: EngineApi;

  const start = () => createEngine({ files, tables, gpu, baseUrl: baseUrlOf(server) });
  beforeAll(async () => {
    server = await serveBundled();
  });
  afterAll(() => void server.close());
  beforeEach(() => {
    files = new MemoryFiles();
    tables = new MemoryTables();
    engine = start();
  });

  const importRows = async () => {
    const { dataset } = await engine.importDataset({ file: alpaca(ROWS) }, silent());
    return dataset!.id;
  };

  const train = async (
    changes: Partial<TrainRequest['training']> = {},
    more: Partial<TrainRequest> = {},
    progress: (event: TrainEvent) => void = () => {},
  ): Promise<RunSummary> => {
    const request = requestOf(more.datasetId ?? (await importRows()), more);
    const training = { ...request.training, ...changes };
    return engine.train({ ...request, training }, { ...silent(), progress });
  };

  const adaptersOf = async ({ id }: RunSummary) =>
    (await engine.listAdapters(undefined, silent())).filter(({ runId }) => runId === id);
  const weightsOf = async (adapterId: string) => (await takePeft(engine, adapterId)).get(WEIGHTS)!;
  const storedBytes = async (prefix = '') =>
    (await files.list(prefix)).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const runNow = async (id: string) =>
    (await engine.listRuns(undefined, silent())).find((run) => run.id === id)!;

  it('are adapters of their own, newest first, and stored once', async () => {
    const run = await train({ save_steps: 1 });
    const adapters = await adaptersOf(run);
    expect(adapters.map(({ step }) => step)).toEqual([4, 3, 2, 1]);
    expect(run.checkpoints.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(run.checkpoints.map(({ resumeBytes }) => resumeBytes > 0)).toEqual([
      ...[false, false, false],
      true,
    ]);
    expect(run.adapterId).toBe(adapters[0].id);
    const different = new Set<string>();
    for (const { id } of adapters) different.add(String(await weightsOf(id)));
    expect(different.size).toBe(4);
    expect(await weightsOf(run.id.replace('run-', 'adapter-'))).toEqual(
      await weightsOf(run.adapterId!),
    );
    expect(await files.list('adapters')).toEqual([]);
    await engine.renameRun({ runId: run.id, name: 'new name' }, silent());
    expect((await adaptersOf(run)).map(({ name }) => name)).toEqual(Array(4).fill('new name'));
  });

  it('go when there are more than save_total_limit, the oldest first', async () => {
    const run = await train({ save_steps: 1, save_total_limit: 2 });
    expect((await adaptersOf(run)).map(({ step }) => step)).toEqual([4, 3]);
    await expect(
      takePeft(engine, `${run.id.replace('run-', 'adapter-')}-step-1`),
    ).rejects.toMatchObject({ code: 'not-found' });
  });

  it('are deleted one by one, and with their run, but for its newest adapter where that is asked', async () => {
    const run = await train({ save_steps: 1 });
    const [newest, , older] = await adaptersOf(run);
    const kept = await weightsOf(newest.id);
    await engine.deleteAdapter({ adapterId: older.id }, silent());
    expect((await adaptersOf(run)).map(({ step }) => step)).toEqual([4, 3, 1]);
    await engine.deleteRun({ runId: run.id, keepAdapter: true }, silent());
    expect(await engine.listRuns(undefined, silent())).toEqual([]);
    expect(await adaptersOf(run)).toEqual([newest]);
    expect(await weightsOf(newest.id)).toEqual(kept);
    await engine.deleteAdapter({ adapterId: newest.id }, silent());
    expect(await adaptersOf(run)).toEqual([]);
    expect(await files.list('runs')).toEqual([]);
    const other = await train();
    await engine.deleteRun({ runId: other.id }, silent());
    expect(await engine.listAdapters(undefined, silent())).toEqual([]);
    expect(await files.list('runs')).toEqual([]);
  });

  it('cannot be deleted while their run is going on', async () => {
    const refused: string[] = [];
    let runId = '';
    const work = async (event: TrainEvent) => {
      if (event.kind === 'prepared') ({ runId } = event);
      if (event.kind !== 'checkpoint' || event.step !== 2) return;
      const [adapter] = await engine.listAdapters(undefined, silent());
      for (const attempt of [
        engine.deleteAdapter({ adapterId: adapter.id }, silent()),
        engine.deleteRun({ runId }, silent()),
      ])
        await attempt.catch((error: { code: string }) => refused.push(error.code));
    };
    const run = await train({ max_steps: 8, save_steps: 2 }, {}, (event) => void work(event));
    expect(refused).toEqual(['busy', 'busy']);
    expect(run.status).toBe('finished');
  });

  it('of older versions open: the copy of the newest adapter is dropped, one without its run stays', async () => {
    const run = await train({ save_steps: 4 });
    const weights = await weightsOf(run.adapterId!);
    const folder = `runs/${run.id}/checkpoint-4`;
    const copyTo = async (id: string, runId: string) => {
      for (const name of ['adapter_config.json', WEIGHTS]) {
        const bytes = new Uint8Array(
          await (await files.readFile(`${folder}/${name}`)).arrayBuffer(),
        );
        await files.writeFile(`adapters/${id}/${name}`, bytes);
      }
      await tables.put('adapters', {
        ...{ id, name: 'old', modelId: 'nano-lm', origin: 'trained', peft: run.peft },
        ...{ sizeBytes: weights.length, createdAt: 1, runId, schemaVersion: 1 },
      });
    };
    const oldId = run.id.replace('run-', 'adapter-');
    await copyTo(oldId, run.id);
    await copyTo('adapter-orphan', 'run-orphan');
    const record = { ...run, checkpoints: undefined, adapterId: oldId, schemaVersion: 1 };
    await tables.put('runs', record);
    engine = start();
    expect(await engine.listRuns(undefined, silent())).toMatchObject([
      { id: run.id, adapterId: `${oldId}-step-4` },
    ]);
    const ids = (await engine.listAdapters(undefined, silent())).map(({ id }) => id);
    expect(ids).toEqual([`${oldId}-step-4`, 'adapter-orphan']);
    expect((await files.list('adapters')).map(({ path }) => path.split('/')[1])).toEqual([
      'adapter-orphan',
      'adapter-orphan',
    ]);
    for (const id of [oldId, `${oldId}-step-4`, 'adapter-orphan'])
      expect(await weightsOf(id), id).toEqual(weights);
    await engine.deleteAdapter({ adapterId: 'adapter-orphan' }, silent());
    expect(await files.list('adapters')).toEqual([]);
  });

  it('make a run that died after the last of them a finished one', async () => {
    const run = await train();
    const record = (await tables.get('runs', run.id))!;
    await tables.put('runs', { ...record, status: 'running', step: 3 } as typeof record);
    expect(await runNow(run.id)).toMatchObject({ status: 'finished', step: 4 });
  });

  describe('on a full device', () => {
    /** Weights of a run that was never disturbed, and the size of one checkpoint. */
    let expected: Uint8Array;
    let oneBytes: number;
    beforeAll(async () => {
      files = new MemoryFiles();
      tables = new MemoryTables();
      engine = start();
      const run = await train({ save_steps: 4 });
      oneBytes = await storedBytes('runs');
      expected = await weightsOf(run.adapterId!);
    });

    const FILLER = 'models/other/model.safetensors';
    /** Room for one checkpoint and a half beside a model that could be deleted. */
    const fill = async () => {
      const fillerBytes = 4 * oneBytes;
      files = new MemoryFiles(fillerBytes + 1.5 * oneBytes);
      await files.writeFile(FILLER, new Uint8Array(fillerBytes));
      engine = start();
    };

    it('the run goes on, its last checkpoint waits for room and is then saved', async () => {
      await fill();
      const seen: string[] = [];
      const run = await train({ save_steps: 1 }, {}, (event) => {
        if (event.kind === 'checkpoint' || event.kind === 'storage-full')
          seen.push(`${event.kind} ${event.step}`);
        if (event.kind !== 'storage-full' || !event.waiting) return;
        void (async () => {
          const before = await runNow((await engine.listRuns(undefined, silent()))[0].id);
          expect(before).toMatchObject({ status: 'paused', checkpoints: [{ step: 1 }] });
          if (seen.filter((kind) => kind === 'storage-full 4').length === 2)
            await files.remove(FILLER);
          await engine.resumeTraining(undefined, silent());
        })();
      });
      expect(seen).toEqual([
        'checkpoint 1',
        'storage-full 2',
        'storage-full 3',
        'storage-full 4',
        'storage-full 4',
        'checkpoint 4',
      ]);
      expect(run).toMatchObject({ status: 'finished', step: 4 });
      expect(run.checkpoints.map(({ step }) => step)).toEqual([1, 4]);
      expect(await weightsOf(run.adapterId!)).toEqual(expected);
    });

    it('giving up leaves an interrupted run that goes on, later, to the same bytes', async () => {
      await fill();
      const datasetId = await importRows();
      let runId = '';
      const given = train({ save_steps: 2 }, { datasetId }, (event) => {
        if (event.kind === 'prepared') ({ runId } = event);
        if (event.kind === 'storage-full' && event.waiting)
          void engine.stopTraining({ keep: true }, silent());
      });
      await expect(given).rejects.toMatchObject({ code: 'full' });
      expect(await runNow(runId)).toMatchObject({
        status: 'interrupted',
        error: { code: 'full' },
        checkpoints: [{ step: 2 }],
      });
      expect((await files.list('runs')).every(({ path }) => path.includes('/checkpoint-2/'))).toBe(
        true,
      );
      await files.remove(FILLER);
      const resumed = await train({ save_steps: 2 }, { datasetId, resumeRunId: runId });
      expect(resumed).toMatchObject({ id: runId, status: 'finished' });
      expect(resumed.error).toBeUndefined();
      expect(await weightsOf(resumed.adapterId!)).toEqual(expected);
    });

    it('a run that is stopped in a pause waits for room too, and keeps what it has learned', async () => {
      await fill();
      const seen: string[] = [];
      const run = await train({ save_steps: 1 }, {}, (event) => {
        if (event.kind === 'step' && event.step === 3)
          void engine.pauseTraining(undefined, silent());
        if (event.kind === 'paused') void engine.stopTraining({ keep: true }, silent());
        if (event.kind !== 'storage-full' || !event.waiting) return;
        seen.push(`waits at ${event.step}`);
        void files.remove(FILLER).then(() => engine.resumeTraining(undefined, silent()));
      });
      expect(seen).toEqual(['waits at 3']);
      expect(run).toMatchObject({ status: 'stopped', step: 3 });
      expect(run.checkpoints.map(({ step }) => step)).toEqual([1, 3]);
      const resumed = await train({ save_steps: 1 }, { resumeRunId: run.id });
      expect(await weightsOf(resumed.adapterId!)).toEqual(expected);
    });

    it('a pause that cannot be written down is a pause all the same', async () => {
      const update = tables.update.bind(tables);
      let paused = 0;
      tables.update = <Value extends TableRecord>(
        table: TableName,
        id: string,
        change: (found: Value | undefined) => Value,
      ) =>
        update<Value>(table, id, (found) => {
          const record = change(found);
          if ((record as { status?: unknown }).status !== 'paused') return record;
          paused += 1;
          throw storageFull('the table of runs');
        });
      const run = await train({}, {}, (event) => {
        if (event.kind === 'step' && event.step === 1)
          void engine.pauseTraining(undefined, silent());
        if (event.kind === 'paused')
          setTimeout(() => void engine.resumeTraining(undefined, silent()), 20);
      });
      // The pause itself, and the resume point, which has the record written first.
      expect(paused).toBe(2);
      expect(run.status).toBe('finished');
      expect(await weightsOf(run.adapterId!)).toEqual(expected);
    });

    it('discarding while it waits leaves nothing of the run', async () => {
      await fill();
      const run = await train({ save_steps: 2 }, {}, (event) => {
        if (event.kind === 'storage-full' && event.waiting)
          void engine.stopTraining({ keep: false }, silent());
      });
      expect(run).toMatchObject({ status: 'stopped', checkpoints: [] });
      expect(await engine.listRuns(undefined, silent())).toEqual([]);
      expect(await files.list('runs')).toEqual([]);
    });
  });

  it('that nobody needs are measured and freed, with other leftovers, and nothing else is', async () => {
    const measure = () => engine.measureFreeable(undefined, silent());
    const finished = await train({ save_steps: 1 });
    const stopped = await train({ max_steps: 50, save_steps: 1 }, {}, (event) => {
      if (event.kind === 'checkpoint' && event.step === 2)
        void engine.stopTraining({ keep: true }, silent());
    });
    const outliving = await train({ save_steps: 1 });
    await engine.deleteRun({ runId: outliving.id, keepAdapter: true }, silent());
    await files.writeFile(
      'runs/run-gone/checkpoint-7/adapter_model.safetensors',
      new Uint8Array(9),
    );
    await takePeft(engine, finished.adapterId!);
    const [before, weights] = [await storedBytes(), await weightsOf(finished.adapterId!)];
    const freeable = await measure();
    expect(freeable).toBeGreaterThan(0);
    expect(await engine.freeStorage(undefined, silent())).toBe(freeable);
    expect(await storedBytes()).toBe(before - freeable);
    expect(await measure()).toBe(0);
    const steps = async (run: RunSummary) => (await adaptersOf(run)).map(({ step }) => step);
    expect(await steps(finished)).toEqual([4]);
    expect(await steps(stopped)).toEqual([stopped.step]);
    expect(await steps(outliving)).toEqual([4]);
    expect(await weightsOf(finished.adapterId!)).toEqual(weights);
    expect((await runNow(stopped.id)).checkpoints[0].resumeBytes).toBeGreaterThan(0);
    expect((await files.list('runs')).some(({ path }) => path.includes('run-gone'))).toBe(false);
  });
});
