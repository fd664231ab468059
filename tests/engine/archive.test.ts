/**
 * Plan: everything out and into an empty device is equal, byte for byte, and once more changes nothing; a
 * stopped run that is gone on with there ends in the bytes of one that was let be; what has the id of
 * something else comes as a copy, with everything that names it; nothing is overwritten. Export: refused
 * while a run goes on, leaves out by name what the browser has cleared, leaves no file when cancelled.
 * Import: cancelled, on a full device, failing at any change, killed at any moment: all of it, or nothing,
 * or items that are whole, and importing again brings the rest.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { ArchiveProgress, RunSummary } from '$lib/rpc/engine-api';
import { createEngine } from '$lib/engine';
import { MemoryFiles, storageFull } from '$lib/storage';
import { refusalOf, startEngine, takeAdapter, learned } from './engines';
import { FailingFiles } from './failing-files';
import { FailingGpu } from './failing-gpu';
import { exportAll, fillStore, importAll, listAll, snapshot, type FullStore } from './full-store';
import { Disk, Life } from './mortal-storage';
import { silent } from './small-model';

const NOTHING = { models: 0, datasets: 0, runs: 0, adapters: 0, evaluations: 0 };
const ALL = { models: 2, datasets: 2, runs: 2, adapters: 2, evaluations: 1 };
const PAGE = { settings: { theme: 'night' }, chat: { turns: [] } };

describe('everything', () => {
  let disk: Disk;
  let store: FullStore;
  let file: File;

  beforeAll(async () => {
    disk = new Disk();
    store = await fillStore(disk);
    file = await exportAll(disk, PAGE);
  });

  it('comes into an empty device as it was, byte for byte', async () => {
    const other = new Disk();
    const done = await importAll(other, file);
    expect(done).toEqual({ added: ALL, present: NOTHING, copies: 0, newIds: {}, page: PAGE });
    expect(await listAll(other)).toEqual(await listAll(disk));
    const filesOf = async (each: Disk) =>
      (await snapshot(each)).filter((line) => /^(models|runs|adapters)\/|^\[/.test(line));
    expect(await filesOf(other)).toEqual(await filesOf(disk));
    expect((await filesOf(other)).length).toBeGreaterThan(20);
  });

  it('once more changes nothing, here and there', async () => {
    const other = new Disk();
    await importAll(other, file);
    for (const each of [disk, other]) {
      const before = await snapshot(each);
      const done = await importAll(each, file);
      expect(done).toMatchObject({ added: NOTHING, present: ALL, copies: 0 });
      expect(await snapshot(each)).toEqual(before);
    }
    const again = await exportAll(other, PAGE);
    const third = new Disk();
    await importAll(third, again);
    expect(await listAll(third)).toEqual(await listAll(disk));
  });

  it('a stopped run goes on there and ends in the bytes of one that was not stopped', async () => {
    const other = new Disk();
    await importAll(other, file);
    const { request, stopped, finished } = store;
    expect(stopped).toMatchObject({ status: 'stopped', step: 4 });
    const gpu = new FailingGpu();
    const run = await startEngine(other, { gpu }).train(
      { ...request, resumeRunId: stopped.id, name: stopped.name },
      silent(),
    );
    gpu.loseDevice();
    expect(run).toMatchObject({ status: 'finished', step: 9, id: stopped.id });
    expect(await takeAdapter(other, run)).toEqual(await takeAdapter(disk, finished));
    expect(learned(run)).toEqual(learned(finished));
  });

  it('a renamed run is the same run, and keeps its new name', async () => {
    const other = new Disk();
    await importAll(other, file);
    await startEngine(other).renameRun({ runId: store.finished.id, name: 'renamed' }, silent());
    expect(await importAll(other, file)).toMatchObject({ added: NOTHING, present: ALL });
    const { runs } = await listAll(other);
    expect(runs.find(({ id }) => id === store.finished.id)?.name).toBe('renamed');
  });

  it('what has the id of something else comes as a copy, and what names it follows', async () => {
    const other = new Disk();
    await importAll(other, file);
    const { modelId, datasetId, finished } = store;
    // The same ids, other things: a shorter data set, another model, a run that is older.
    await other.tables.update('datasets', datasetId, (found) => ({ ...found!, name: 'other' }));
    await other.files.writeFile(`models/${modelId}/config.json`, new Uint8Array(3));
    await other.files.remove(`runs/${finished.id}/checkpoint-9`);
    const before = await snapshot(other);
    const done = await importAll(other, file);
    expect(done).toMatchObject({
      added: { ...NOTHING, models: 1, datasets: 1, runs: 1 },
      copies: 3,
    });
    expect(Object.keys(done.newIds).sort()).toEqual([modelId, datasetId, finished.id].sort());
    const after = await snapshot(other);
    expect(before.filter((line) => !after.includes(line))).toEqual([]);
    const { runs, adapters } = await listAll(other);
    const copy = runs.find(({ id }) => id === done.newIds[finished.id])!;
    expect(copy).toMatchObject({
      modelId: done.newIds[modelId],
      datasetId: done.newIds[datasetId],
      name: 'finished',
      log: finished.log,
    });
    expect(adapters.filter(({ runId }) => runId === copy.id)).toHaveLength(5);
  });

  it('a report follows the copy of the run that it is about, and an adapter that outlived its run comes beside it', async () => {
    const other = new Disk();
    const { finished } = store;
    const { adapters } = await listAll(disk);
    const outlived = adapters.find(({ name }) => name === 'outlived')!;
    const stranger = { id: finished.id, name: 'a stranger', schemaVersion: 1 };
    await other.tables.put<RunSummary & { schemaVersion: number }>(
      'runs',
      { ...finished, ...stranger },
      { ...finished, ...stranger, id: outlived.runId! },
    );
    const done = await importAll(other, file);
    expect(done).toMatchObject({ added: ALL, copies: 2 });
    const now = await listAll(other);
    const runId = done.newIds[finished.id];
    expect(now.evaluations[0].scores[1].adapterId).toBe(
      finished.adapterId!.replace(finished.id.slice(4), runId.slice(4)),
    );
    expect(now.evaluations[0].heldBackOf).toEqual({ runId, name: finished.name });
    const beside = now.adapters.find(({ id }) => id === done.newIds[outlived.id])!;
    expect(beside).toMatchObject({ name: 'outlived', step: outlived.step });
    expect(beside.runId).not.toBe(outlived.runId);
  });

  it('is told with its progress, and is one thing at a time', async () => {
    const engine = startEngine(disk);
    const updates: ArchiveProgress[] = [];
    const first = engine.exportEverything(
      { page: {} },
      { ...silent(), progress: (update) => updates.push(update) },
    );
    expect(await refusalOf(engine.importEverything({ file }, silent()))).toMatchObject({
      code: 'busy',
    });
    expect(await engine.measureFreeable(undefined, silent())).toBe(0);
    expect(await refusalOf(engine.deleteEverything(undefined, silent()))).toMatchObject({
      code: 'busy',
    });
    expect(await refusalOf(engine.train(store.request, silent()))).toMatchObject({ code: 'busy' });
    const { counts, leftOut, fileName } = await first;
    expect({ counts, leftOut }).toEqual({ counts: ALL, leftOut: [] });
    expect(fileName).toMatch(/^inkstone-\d{4}-\d\d-\d\d\.zip$/);
    const done = updates.map(({ doneBytes }) => doneBytes);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(updates.at(-1)!.doneBytes).toBeGreaterThan(0.9 * updates.at(-1)!.totalBytes);
    expect(await engine.measureFreeable(undefined, silent())).toBeGreaterThan(0);
  });

  it('is not exported while a run goes on', async () => {
    const gpu = new FailingGpu();
    const engine = startEngine(disk, { gpu });
    let refusal: Promise<{ code?: string }> | undefined;
    const before = await disk.tables.list('runs');
    const run = await engine.train(
      { ...store.request, name: 'going on' },
      {
        ...silent(),
        progress: (event) => {
          if (event.kind === 'step' && event.step === 2)
            refusal = refusalOf(engine.exportEverything({ page: {} }, silent()));
        },
      },
    );
    expect(await refusal).toMatchObject({ code: 'busy' });
    await engine.deleteRun({ runId: run.id }, silent());
    gpu.loseDevice();
    expect(await disk.tables.list('runs')).toEqual(before);
  });

  it('leaves out what the browser has cleared, by name, and takes the rest', async () => {
    const other = new Disk();
    await importAll(other, file);
    await other.files.remove(`models/${store.modelId}/model.safetensors`);
    await other.tables.removeRows(store.datasetId);
    const engine = startEngine(other);
    const {
      counts,
      leftOut,
      file: partial,
    } = await engine.exportEverything({ page: {} }, silent());
    expect(counts).toEqual({ ...ALL, models: 1, datasets: 1 });
    expect(leftOut.map(({ name, code }) => [name, code])).toEqual([
      ['small', 'evicted'],
      ['rows', 'evicted'],
    ]);
    expect(await importAll(new Disk(), partial)).toMatchObject({ added: counts });
  });

  it('leaves no file when the export is cancelled, or finds no room', async () => {
    const stop = new AbortController();
    const leaving = startEngine(disk).exportEverything(
      { page: {} },
      { signal: stop.signal, progress: () => stop.abort() },
    );
    await expect(leaving).rejects.toMatchObject({ name: 'AbortError' });
    expect(await disk.files.list('exports')).toEqual([]);
    const small = new SmallDisk(1.5 * file.size);
    await importAll(small, file);
    const full = refusalOf(startEngine(small).exportEverything({ page: {} }, silent()));
    expect(await full).toMatchObject({ code: 'full' });
    expect(await small.files.list('exports')).toEqual([]);
  });

  describe('an import that comes to nothing leaves everything as it was', () => {
    it('when it is cancelled, at any share', async () => {
      for (const part of [0.01, 0.3, 0.6, 0.95]) {
        const other = new Disk();
        const stop = new AbortController();
        const call = startEngine(other).importEverything(
          { file },
          {
            signal: stop.signal,
            progress: ({ stage, doneBytes, totalBytes }) => {
              if (stage === 'copy' && doneBytes >= part * totalBytes) stop.abort();
            },
          },
        );
        await expect(call).rejects.toMatchObject({ name: 'AbortError' });
        expect(await snapshot(other)).toEqual([]);
      }
    });

    it('when there is no room, told before anything is copied', async () => {
      const other = new SmallDisk(0.5 * file.size);
      expect(await refusalOf(importAll(other, file))).toMatchObject({ code: 'full' });
      expect(await snapshot(other)).toEqual([]);
      const roomy = new SmallDisk(1.2 * file.size);
      expect(await importAll(roomy, file)).toMatchObject({ added: ALL });
    });

    it('when any change to the files fails', async () => {
      const count = new FailingFiles(new MemoryFiles(), Infinity);
      await engineOver(count, new Disk()).importEverything({ file }, silent());
      expect(count.changes).toBeGreaterThan(50);
      for (let at = 1; at < count.changes; at += 5) {
        const other = new Disk();
        // What fails once is taken back; what fails for ever is a killed tab, below.
        const once = new FailingOnce(other.files, at);
        await expect(engineOver(once, other).importEverything({ file }, silent())).rejects.toThrow(
          'no such luck',
        );
        expect(await snapshot(other)).toEqual([]);
      }
    });
  });

  it('a table that refuses its records leaves everything as it was', async () => {
    for (const refusing of ['models', 'datasets', 'runs', 'adapters', 'evaluations'] as const) {
      const other = new Disk();
      const put = other.tables.put.bind(other.tables);
      other.tables.put = (table, ...records) =>
        table === refusing ? Promise.reject(storageFull(table)) : put(table, ...records);
      expect(await refusalOf(importAll(other, file))).toMatchObject({ code: 'full' });
      expect(await snapshot(other)).toEqual([]);
      expect(await other.tables.countRows(store.datasetId)).toBe(0);
      other.tables.put = put;
      expect(await importAll(other, file)).toMatchObject({ added: ALL });
    }
  });

  it('killed at any moment leaves items that are whole, and once more brings the rest', async () => {
    const undisturbed = new Life();
    await startEngine(new Disk(), { life: undisturbed }).importEverything({ file }, silent());
    const whole = await listAll(disk);
    for (let moment = 1; moment < undisturbed.moments; moment += 17) {
      const other = new Disk();
      const life = new Life(moment);
      await refusalOf(startEngine(other, { life }).importEverything({ file }, silent()));
      const found = await listAll(other);
      for (const kind of ['models', 'datasets', 'runs', 'evaluations'] as const)
        for (const item of found[kind]) expect(whole[kind]).toContainEqual(item);
      await importAll(other, file);
      expect(await listAll(other)).toEqual(whole);
      expect(await other.files.list('importing')).toEqual([]);
    }
  });

  it('what a killed import has left can be freed', async () => {
    const other = new Disk();
    await other.files.writeFile('importing/models/model-1/model.safetensors', new Uint8Array(9));
    const engine = startEngine(other);
    expect(await engine.measureFreeable(undefined, silent())).toBe(9);
    expect(await engine.freeStorage(undefined, silent())).toBe(9);
    expect(await other.files.list('')).toEqual([]);
  });
});

class SmallDisk extends Disk {
  override readonly files: MemoryFiles;

  constructor(capacityBytes: number) {
    super();
    this.files = new MemoryFiles(capacityBytes);
  }
}

class FailingOnce extends FailingFiles {
  constructor(inner: MemoryFiles, at: number) {
    super(inner, at);
  }

  protected override count(): void {
    this.changes += 1;
    if (this.changes === this.diesAt) throw new Error('no such luck');
  }
}

const engineOver = (files: FailingFiles, { tables }: Disk) =>
  createEngine({
    files,
    tables,
    gpu: new FailingGpu().entry,
    baseUrl: 'http://127.0.0.1:9/',
  });
