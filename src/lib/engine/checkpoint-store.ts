/**
 * Checkpoints of runs as folders `runs/RUN/checkpoint-STEP`, the one place where their bytes lie. A folder
 * counts once its last file, `complete`, is there, and no longer counts once that file is gone; so whatever
 * a crash leaves half written or half removed is never taken for a checkpoint. The length of that file tells a
 * checkpoint that was asked for from a resume point, which lasts until the next of either kind.
 */
import { adaptedModel } from '../decoder';
import type { ModelConfig, PeftConfig } from '../config';
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, type AdapterFiles } from '../peft';
import type { FileEntry, FileStore } from '../storage';
import {
  CHECKPOINT_FILES,
  OPTIMIZER_FILE,
  readCheckpoint,
  readCheckpointValues,
  surplusCheckpoints,
  TRAINER_STATE_FILE,
  type Checkpoint,
  type CheckpointFiles,
} from '../training';

export interface StoredCheckpoint {
  readonly runId: string;
  readonly step: number;
  /**
   * Of the optimiser's state, which a run needs to go on from here; 0 where it is not kept, and where another file
   * that it needs is gone: the browser clears files one by one.
   */
  readonly resumeBytes: number;
  /** Of all files. */
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
  readonly isResumePoint: boolean;
}

/** Bytes of the mark. */
const MARKS = { asked: 1, 'resume-point': 2 } as const;
export type CheckpointKind = keyof typeof MARKS;

const RUNS = 'runs';
export const COMPLETE = 'complete';

export const runFolder = (runId: string) => `${RUNS}/${runId}`;
export const checkpointFolder = (runId: string, step: number) =>
  `${runFolder(runId)}/checkpoint-${step}`;

export class CheckpointStore {
  constructor(private readonly files: FileStore) {}

  /** Complete ones, by step. */
  async list(runId: string): Promise<StoredCheckpoint[]> {
    return onlyComplete(await this.scan(runFolder(runId)));
  }

  /** Those of all runs in one listing; by step within a run. */
  async listAll(): Promise<StoredCheckpoint[]> {
    return onlyComplete(await this.scan(RUNS));
  }

  async has(runId: string, step: number): Promise<boolean> {
    return this.files.exists(`${checkpointFolder(runId, step)}/${COMPLETE}`);
  }

  /**
   * Touches no other checkpoint; on failure it leaves nothing behind that was not there before.
   * @throws StorageError `full`
   */
  async write(
    runId: string,
    step: number,
    files: CheckpointFiles,
    kind: CheckpointKind = 'asked',
  ): Promise<void> {
    const folder = checkpointFolder(runId, step);
    const isNew = !(await this.has(runId, step));
    try {
      for (const [name, bytes] of files) await this.files.writeFile(`${folder}/${name}`, bytes);
      await this.files.writeFile(`${folder}/${COMPLETE}`, new Uint8Array(MARKS[kind]));
    } catch (error) {
      if (isNew) await this.files.remove(folder).catch(() => undefined);
      throw error;
    }
  }

  /** The newest that a run can go on from; undefined before the first. */
  async load(
    runId: string,
    peft: PeftConfig,
    config: ModelConfig,
  ): Promise<Checkpoint | undefined> {
    const newest = (await this.list(runId)).findLast(({ resumeBytes }) => resumeBytes > 0);
    if (!newest) return undefined;
    const files = await this.read(runId, newest.step, CHECKPOINT_FILES);
    return readCheckpoint(files, peft, adaptedModel(config));
  }

  /** The parameters of one step, as a run has them; undefined when its checkpoint is gone. */
  async loadValues(
    runId: string,
    step: number,
    peft: PeftConfig,
    config: ModelConfig,
  ): Promise<Pick<Checkpoint, 'values'> | undefined> {
    if (!(await this.has(runId, step))) return undefined;
    const files = await this.read(runId, step, [ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE]);
    return readCheckpointValues(files, peft, adaptedModel(config));
  }

  /** What the Trainer had written down by then, as it lies there; undefined where the browser has cleared it. */
  async readState(runId: string, step: number): Promise<string | undefined> {
    const path = `${checkpointFolder(runId, step)}/${TRAINER_STATE_FILE}`;
    return (await this.files.exists(path)) ? (await this.files.readFile(path)).text() : undefined;
  }

  /**
   * After a checkpoint is complete and recorded: older resume points go, and the oldest of the others beyond the
   * limit, with what earlier crashes left half done; the rest give up what only the newest needs.
   * @param limit `save_total_limit`, that resume points do not count for; null keeps all
   * @param best step that is spared
   */
  async rotate(
    runId: string,
    justWritten: number,
    limit: number | null,
    best?: number,
  ): Promise<void> {
    const found = await this.scan(runFolder(runId));
    const isPassing = ({ isResumePoint, step }: StoredCheckpoint) =>
      isResumePoint && step !== justWritten;
    const asked = onlyComplete(found).filter((each) => !isPassing(each));
    const steps = asked.map(({ step }) => step);
    const surplus = surplusCheckpoints(steps, justWritten, limit, best);
    for (const each of found) {
      const { step, isComplete, resumeBytes } = each;
      if (!isComplete || isPassing(each) || surplus.includes(step)) await this.remove(runId, step);
      else if (step !== justWritten && resumeBytes > 0) await this.dropResume(runId, step);
    }
  }

  /** Keeps the adapter and the log; no run can go on from here afterwards. */
  async dropResume(runId: string, step: number): Promise<void> {
    await this.files.remove(this.resumeFile(runId, step));
  }

  /** Path of what a run needs, beside the adapter, to go on from this step. */
  resumeFile(runId: string, step: number): string {
    return `${checkpointFolder(runId, step)}/${OPTIMIZER_FILE}`;
  }

  async remove(runId: string, step: number): Promise<void> {
    const folder = checkpointFolder(runId, step);
    await this.files.remove(`${folder}/${COMPLETE}`);
    await this.files.remove(folder);
  }

  /** @param but step whose adapter stays */
  async removeAll(runId: string, but?: number): Promise<void> {
    if (but === undefined) return this.files.remove(runFolder(runId));
    for (const { step } of await this.scan(runFolder(runId)))
      if (step === but) await this.dropResume(runId, step);
      else await this.remove(runId, step);
  }

  private async read(runId: string, step: number, names: readonly string[]) {
    const files = new Map<string, Uint8Array>();
    for (const name of names) {
      const file = await this.files.readFile(`${checkpointFolder(runId, step)}/${name}`);
      files.set(name, new Uint8Array(await file.arrayBuffer()));
    }
    return files;
  }

  private async scan(prefix: string): Promise<ScannedFolder[]> {
    return toFolders(await this.files.list(prefix));
  }
}

export async function readAdapterFiles(files: FileStore, folder: string): Promise<AdapterFiles> {
  const read = (name: string) => files.readFile(`${folder}/${name}`);
  return {
    configJson: await (await read(ADAPTER_CONFIG_FILE)).text(),
    weights: new Uint8Array(await (await read(ADAPTER_WEIGHTS_FILE)).arrayBuffer()),
  };
}

interface ScannedFolder extends StoredCheckpoint {
  readonly isComplete: boolean;
}

/** Of these files the folders that a crash has left half written or half removed, or that are being written. */
export const unfinishedFolders = (entries: readonly FileEntry[]): string[] =>
  toFolders(entries)
    .filter(({ isComplete }) => !isComplete)
    .map(({ runId, step }) => checkpointFolder(runId, step));

const onlyComplete = (folders: readonly ScannedFolder[]): StoredCheckpoint[] =>
  folders.filter(({ isComplete }) => isComplete);

function toFolders(entries: readonly FileEntry[]): ScannedFolder[] {
  const folders = new Map<string, { runId: string; step: number; files: Map<string, FileEntry> }>();
  for (const entry of entries) {
    const match = /^runs\/([^/]+)\/checkpoint-(\d+)\/([^/]+)$/.exec(entry.path);
    if (!match) continue;
    const [, runId, step, name] = match;
    const key = `${runId}/${step}`;
    const folder = folders.get(key) ?? { runId, step: Number(step), files: new Map() };
    folders.set(key, folder);
    folder.files.set(name, entry);
  }
  return [...folders.values()]
    .map(({ runId, step, files }) => {
      const mark = files.get(COMPLETE);
      let sizeBytes = 0;
      for (const file of files.values()) sizeBytes += file.sizeBytes;
      return {
        runId,
        step,
        isComplete: mark !== undefined,
        resumeBytes: CHECKPOINT_FILES.every((name) => files.has(name))
          ? (files.get(OPTIMIZER_FILE)?.sizeBytes ?? 0)
          : 0,
        sizeBytes,
        savedAt: mark?.modifiedMs ?? 0,
        isResumePoint: mark?.sizeBytes === MARKS['resume-point'],
      };
    })
    .sort((a, b) => a.step - b.step);
}
