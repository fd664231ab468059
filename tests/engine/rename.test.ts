/**
 * Plan: a run that is renamed while it trains keeps the new name, from its own tab and from another, and so
 * do its adapters; what it learned is not touched. So does one that is renamed at rest, whose tab then dies: the name is on
 * the disk when the call has returned, and not when the tab died before. Control: one that nobody renames keeps its own.
 */
import { describe, expect, it } from 'vitest';
import type { RunSummary } from '$lib/rpc/engine-api';
import { startEngine, takeAdapter, learned } from './engines';
import { Disk, Life } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

describe('a run', () => {
  const trainOn = async (disk: Disk, rename?: { fromAnotherTab: boolean }): Promise<RunSummary> => {
    const engine = startEngine(disk);
    const request = smallRun(await importSmallModel(engine), await importTokenRows(engine), {
      save_strategy: 'steps',
      save_steps: 2,
    });
    let runId = '';
    const renaming: Promise<void>[] = [];
    const run = await engine.train(request, {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'prepared') ({ runId } = event);
        if (!rename || event.kind !== 'step' || event.step !== 3) return;
        const other = rename.fromAnotherTab ? startEngine(disk) : engine;
        renaming.push(other.renameRun({ runId, name: 'new name' }, silent()));
      },
    });
    expect(renaming).toHaveLength(rename ? 1 : 0);
    await Promise.all(renaming);
    return run;
  };

  const namesOf = async (disk: Disk) => {
    const engine = startEngine(disk);
    const [run] = await engine.listRuns(undefined, silent());
    const adapters = await engine.listAdapters(undefined, silent());
    return [run.name, ...new Set(adapters.map(({ name }) => name))];
  };

  it('that nobody renames keeps its name: the control', async () => {
    const disk = new Disk();
    const run = await trainOn(disk);
    expect(run).toMatchObject({ name: 'a run', status: 'finished', step: 9 });
    expect(await namesOf(disk)).toEqual(['a run', 'a run']);
  });

  it('renamed at rest keeps the new name when its tab dies and another opens the storage', async () => {
    const disk = new Disk();
    const before = await trainOn(disk);
    const life = new Life();
    await startEngine(disk, { life }).renameRun({ runId: before.id, name: 'another' }, silent());
    life.end();
    expect(await namesOf(disk)).toEqual(['another', 'another']);
    const [after] = await startEngine(disk).listRuns(undefined, silent());
    expect(after).toEqual({ ...before, name: 'another' });

    const late = new Life();
    const engine = startEngine(disk, { life: late });
    late.end();
    const renaming = engine.renameRun({ runId: before.id, name: 'too late' }, silent());
    await expect(renaming).rejects.toThrow('the tab is gone');
    expect(await namesOf(disk)).toEqual(['another', 'another']);
  });

  for (const fromAnotherTab of [false, true])
    it(`renamed while it trains, ${fromAnotherTab ? 'in another tab' : 'on its own page'}, keeps the new name`, async () => {
      const still = new Disk();
      const undisturbed = await trainOn(still);
      const disk = new Disk();
      const run = await trainOn(disk, { fromAnotherTab });
      expect(run).toMatchObject({ name: 'new name', status: 'finished', step: 9 });
      expect(await namesOf(disk)).toEqual(['new name', 'new name']);
      expect(learned(run)).toEqual(learned(undisturbed));
      expect(run.checkpoints).toHaveLength(undisturbed.checkpoints.length);
      expect(await takeAdapter(disk, run)).toEqual(await takeAdapter(still, undisturbed));
    });
});
