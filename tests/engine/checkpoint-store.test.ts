/**
 * Plan: checkpoints are listed by step, only whole ones; the newest that a run can go on from is loaded;
 * rotation keeps what `save_total_limit` says and only the newest's optimiser state; a run that is killed
 * at any write or removal of saving, rotating or deleting leaves every listed adapter whole, a checkpoint to
 * go on from that is no older than before, and ends in the same files once it is done again; a full device
 * leaves nothing half written.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_TRAINING_ARGUMENTS, readLoraConfig, type ModelConfig } from '$lib/config';
import { adaptedModel } from '$lib/decoder';
import { CheckpointStore, checkpointFolder, readAdapterFiles } from '$lib/engine/checkpoint-store';
import { layoutAdapter, readAdapter } from '$lib/peft';
import { MemoryFiles, type FileStore } from '$lib/storage';
import { writeCheckpoint, type CheckpointFiles } from '$lib/training';
import { emptyTrainerState } from '$lib/training/trainer-state';
import { openGolden } from '../goldens';
import { FailingFiles, KilledError } from './failing-files';

const RUN = 'run-1';
const LORA = readLoraConfig({ r: 2 }, 'test');

describe('checkpoints', () => {
  let config: ModelConfig;
  beforeAll(async () => {
    ({ config } = await openGolden('llama-tied'));
  });

  /** A checkpoint whose every number is its step. */
  const filesOf = (step: number): CheckpointFiles => {
    const layout = layoutAdapter(adaptedModel(config), LORA);
    const flat = () => new Float32Array(layout.flatCount).fill(step);
    const state = {
      ...emptyTrainerState(DEFAULT_TRAINING_ARGUMENTS, 40, 10),
      ...{ epoch: step / 10, global_step: step },
    };
    const checkpoint = { values: flat(), moments: { m: flat(), v: flat() }, state };
    return writeCheckpoint(
      { ...checkpoint, pendingLoss: { sum: 0, count: 0 } },
      LORA,
      adaptedModel(config),
      'base',
    );
  };

  const save = async (store: CheckpointStore, step: number, limit: number | null) => {
    await store.write(RUN, step, filesOf(step));
    await store.rotate(RUN, step, limit);
  };
  const stepsOf = async (store: CheckpointStore) => (await store.list(RUN)).map(({ step }) => step);
  const resumableOf = async (store: CheckpointStore) =>
    (await store.list(RUN)).filter(({ resumeBytes }) => resumeBytes > 0).map(({ step }) => step);
  const contentOf = async (files: FileStore) =>
    Object.fromEntries(
      (await files.list('')).map(({ path, sizeBytes }) => [path, sizeBytes] as const),
    );

  /** What must hold at every moment; returns the step that a run goes on from. */
  async function expectUsable(files: FileStore): Promise<number | undefined> {
    const store = new CheckpointStore(files);
    for (const { step } of await store.list(RUN)) {
      const adapter = readAdapter(
        await readAdapterFiles(files, checkpointFolder(RUN, step)),
        adaptedModel(config),
      );
      expect(adapter.values[0], `adapter of step ${step}`).toBe(step);
    }
    const checkpoint = await store.load(RUN, LORA, config);
    if (!checkpoint) return undefined;
    const step = checkpoint.state.global_step;
    expect([checkpoint.values[0], checkpoint.moments.m[0], checkpoint.moments.v[0]]).toEqual(
      new Array(3).fill(step),
    );
    return step;
  }

  it('keep their adapters, and the newest its optimiser state, up to the limit', async () => {
    const store = new CheckpointStore(new MemoryFiles());
    expect(await store.load(RUN, LORA, config)).toBeUndefined();
    for (const step of [10, 20, 30, 40]) await save(store, step, 3);
    expect(await stepsOf(store)).toEqual([20, 30, 40]);
    expect(await resumableOf(store)).toEqual([40]);
    expect((await store.load(RUN, LORA, config))?.state.global_step).toBe(40);
    const [older, , newest] = await store.list(RUN);
    expect(newest.sizeBytes - newest.resumeBytes).toBe(older.sizeBytes);
  });

  it('without a limit all stay; other runs are not touched', async () => {
    const files = new MemoryFiles();
    const store = new CheckpointStore(files);
    await store.write('run-2', 5, filesOf(5));
    for (const step of [10, 20, 30]) await save(store, step, null);
    expect(await stepsOf(store)).toEqual([10, 20, 30]);
    expect((await store.listAll()).map(({ runId, step }) => `${runId} ${step}`).sort()).toEqual([
      'run-1 10',
      'run-1 20',
      'run-1 30',
      'run-2 5',
    ]);
    await store.removeAll(RUN);
    expect((await store.listAll()).map(({ runId }) => runId)).toEqual(['run-2']);
  });

  it('an older one that is written again, in a later life of the run, is the one to go on from', async () => {
    const store = new CheckpointStore(new MemoryFiles());
    for (const step of [10, 20]) await save(store, step, null);
    await store.dropResume(RUN, 20);
    expect(await store.load(RUN, LORA, config)).toBeUndefined();
    await save(store, 10, null);
    expect(await stepsOf(store)).toEqual([10, 20]);
    expect((await store.load(RUN, LORA, config))?.state.global_step).toBe(10);
  });

  it.each([
    ['saving and rotating', (store: CheckpointStore) => save(store, 30, 2), 20],
    ['saving without a limit', (store: CheckpointStore) => save(store, 30, null), 20],
    ['deleting one that is not the newest', (store: CheckpointStore) => store.remove(RUN, 10), 20],
    [
      'deleting all but an adapter',
      (store: CheckpointStore) => store.removeAll(RUN, 20),
      undefined,
    ],
  ])('killed at any moment of %s: nothing broken, nothing lost', async (_, work, atLeast) => {
    const prepare = async () => {
      const files = new MemoryFiles();
      for (const step of [10, 20]) await save(new CheckpointStore(files), step, null);
      return files;
    };
    const undisturbed = await prepare();
    await work(new CheckpointStore(undisturbed));
    const expected = await contentOf(undisturbed);
    let deaths = 0;
    for (let diesAt = 1; ; diesAt++) {
      const files = await prepare();
      const dying = new FailingFiles(files, diesAt);
      const error: unknown = await work(new CheckpointStore(dying)).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      const step = await expectUsable(files);
      if (atLeast !== undefined)
        expect(step, `killed at ${diesAt}`).toBeGreaterThanOrEqual(atLeast);
      if (!error) break;
      expect(error).toBeInstanceOf(KilledError);
      deaths += 1;
      await work(new CheckpointStore(files));
      await expectUsable(files);
      expect(await contentOf(files), `killed at ${diesAt}, then done again`).toEqual(expected);
    }
    expect(deaths).toBeGreaterThan(1);
  });

  it('a full device leaves nothing half written, and the earlier one to go on from', async () => {
    const measure = new MemoryFiles();
    await save(new CheckpointStore(measure), 10, null);
    const oneBytes = (await measure.list('')).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const files = new MemoryFiles(oneBytes * 1.5);
    const store = new CheckpointStore(files);
    await save(store, 10, null);
    const before = await contentOf(files);
    await expect(save(store, 20, null)).rejects.toMatchObject({ code: 'full' });
    expect(await contentOf(files)).toEqual(before);
    expect(await expectUsable(files)).toBe(10);
  });
});
