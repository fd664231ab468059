/**
 * Nothing is lost: a run that is killed again and again, at any moment, in the middle of a write, of a
 * removal, of a step, goes on over the same storage and ends in the bytes of one that was let be.
 */
import { create, globals } from 'webgpu';
import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from '$lib/config/random';
import { createEngine } from '$lib/engine';
import { readZip } from '$lib/formats';
import type { EngineApi, RunSummary, TrainRequest } from '$lib/rpc/engine-api';
import { Disk, Killed, Life } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

Object.assign(globalThis, globals);
const gpu = create([]) as unknown as GPU;

const KILLS = 10;

const start = (disk: Disk, life = new Life()): EngineApi =>
  createEngine({ ...disk.usedBy(life), gpu, baseUrl: 'http://127.0.0.1:9/' });

/** The adapter as a person would take it away. */
async function takeAdapter(disk: Disk, { modelId, adapterId }: RunSummary): Promise<string[]> {
  const input = { modelId, adapterId, format: 'peft' } as const;
  const { file } = await start(disk).exportModel(input, silent());
  const entries = readZip(new Uint8Array(await file.arrayBuffer()));
  return entries.map(({ name, read }) => `${name} ${Buffer.from(read()).toString('base64')}`);
}

/** One life: a run begun or gone on with. Undefined where it was killed before the end. */
async function live(
  disk: Disk,
  life: Life,
  request: TrainRequest,
  resumeRunId: string | undefined,
): Promise<RunSummary | undefined> {
  try {
    return await start(disk, life).train(
      { ...request, resumeRunId },
      { ...silent(), progress: () => life.pass() },
    );
  } catch (error) {
    if (life.isOver) return undefined;
    throw error;
  }
}

/** What a page finds after a death, if anything: a run with no hole in its curve, to be gone on with. */
async function findRun(disk: Disk, name: string): Promise<RunSummary | undefined> {
  const run = (await start(disk).listRuns(undefined, silent())).find((each) => each.name === name);
  if (!run) return undefined;
  expect(run.log.map(({ step }) => step)).toEqual(run.log.map((_, i) => i + 1));
  // Killed after its last checkpoint a run may count as finished: it has its adapter.
  expect(['interrupted', 'finished']).toContain(run.status);
  return run;
}

describe('a run that is killed', () => {
  for (const training of [
    { save_strategy: 'steps', save_steps: 2 },
    { save_strategy: 'epoch' },
  ] as const)
    it(`at ${KILLS} moments, with checkpoints by ${training.save_strategy}, ends in the bytes of one that was not`, async () => {
      const disk = new Disk();
      const modelId = await importSmallModel(start(disk));
      const request = smallRun(modelId, await importTokenRows(start(disk)), training);
      const undisturbed = new Life();
      const whole = (await live(disk, undisturbed, request, undefined))!;
      expect(whole).toMatchObject({ status: 'finished', step: 9 });
      const expected = await takeAdapter(disk, whole);
      expect(expected).toHaveLength(2);

      const random = new Xoshiro128(20);
      let kills = 0;
      for (let round = 1; kills < KILLS; round++) {
        const name = `run ${round}`;
        let run: RunSummary | undefined;
        let resumeId: string | undefined;
        while (!run) {
          const moment = 1 + random.nextBelow(undisturbed.moments);
          const life = kills < KILLS ? new Life(moment) : new Life();
          run = await live(disk, life, { ...request, name }, resumeId);
          if (run) break;
          kills++;
          const found = await findRun(disk, name);
          resumeId = found?.id;
          if (found?.status === 'finished') run = found;
        }
        expect(run).toMatchObject({ status: 'finished', step: 9, name });
        expect(await takeAdapter(disk, run), `${name} after ${kills} kills`).toEqual(expected);
        expect(run.log).toEqual(whole.log);
        const adapters = await start(disk).listAdapters(undefined, silent());
        expect(adapters.map(({ id }) => id)).toContain(run.adapterId);
      }
    });

  it('is not one that failed of itself: an error of the run reaches the page', async () => {
    const disk = new Disk();
    const request = smallRun(await importSmallModel(start(disk)), 'nowhere');
    await expect(live(disk, new Life(), request, undefined)).rejects.toMatchObject({
      code: 'not-found',
    });
    const life = new Life(1);
    expect(() => life.pass()).toThrow(Killed);
  });
});
