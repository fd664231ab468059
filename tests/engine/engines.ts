/** Engines over one disk, as a person's tabs come and go. */
import { createEngine } from '$lib/engine';
import type { TalkOn } from '$lib/engine/known-model';
import type { EngineApi, RunSummary } from '$lib/rpc/engine-api';
import { FailingGpu } from './failing-gpu';
import { Life, type Disk } from './mortal-storage';
import { contentsOf } from './outcome';
import { silent } from './small-model';

export { learned } from './outcome';

interface Parts {
  life?: Life;
  gpu?: FailingGpu;
  talkOn?: TalkOn;
}

/** Nothing is bundled at this address: what the tests open, they imported. */
export const startEngine = (
  disk: Disk,
  { life = new Life(), gpu = new FailingGpu(), talkOn }: Parts = {},
): EngineApi =>
  createEngine({ ...disk.usedBy(life), gpu: gpu.entry, baseUrl: 'http://127.0.0.1:9/', talkOn });

/** The files of a run's adapter as a person would take them away. */
export async function takeAdapter(
  disk: Disk,
  { modelId, adapterId }: RunSummary,
): Promise<string[]> {
  const gpu = new FailingGpu();
  const input = { modelId, adapterId, format: 'peft' } as const;
  const { file } = await startEngine(disk, { gpu }).exportModel(input, silent());
  gpu.loseDevice();
  return contentsOf(new Uint8Array(await file.arrayBuffer()));
}

export async function findRun(disk: Disk, name: string): Promise<RunSummary | undefined> {
  const runs = await startEngine(disk).listRuns(undefined, silent());
  return runs.find((run) => run.name === name);
}

/** What a call is refused with. */
export async function refusalOf(
  call: Promise<unknown>,
): Promise<{ code?: string; message: string }> {
  const error: unknown = await call.then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  return error as { code?: string; message: string };
}
