/** Training runs on this device: their records, and the checkpoints that they can go on from. */
import { linearSites } from '../decoder';
import type { ModelConfig } from '../config';
import type { RunSummary } from '../rpc/engine-api';
import {
  CHECKPOINT_FILES,
  readCheckpoint,
  type Checkpoint,
  type CheckpointFiles,
} from '../training';
import { isTraining, type EngineContext } from './context';
import { notFound } from './errors';

interface RunRecord extends RunSummary {
  schemaVersion: 1;
}

export class RunLibrary {
  constructor(private readonly context: EngineContext) {}

  /** A run that says it is running while nobody holds the lock was interrupted. */
  async list(): Promise<RunSummary[]> {
    const records = await this.context.tables.list<RunRecord>('runs');
    const alive = await isTraining();
    return records
      .map((run) => (alive || !isActive(run) ? run : { ...run, status: 'interrupted' as const }))
      .sort((a, b) => b.createdAt - a.createdAt);
  }

  async get(id: string): Promise<RunSummary> {
    const record = await this.context.tables.get<RunRecord>('runs', id);
    if (!record) throw notFound('run', id);
    return record;
  }

  async save(run: RunSummary): Promise<void> {
    await this.context.tables.put<RunRecord>('runs', { ...run, schemaVersion: 1 });
  }

  /** Writes a checkpoint under its step, then points the run at it, then removes those before but the best. */
  async saveCheckpoint(
    runId: string,
    step: number,
    files: CheckpointFiles,
    best?: number,
  ): Promise<void> {
    const before = await this.checkpointSteps(runId);
    for (const [name, bytes] of files)
      await this.context.files.writeFile(`${folderOf(runId)}/checkpoint-${step}/${name}`, bytes);
    await this.context.files.writeFile(
      `${folderOf(runId)}/checkpoint-${step}/complete`,
      new Uint8Array(1),
    );
    for (const old of before)
      if (old !== step && old !== best)
        await this.context.files.remove(`${folderOf(runId)}/checkpoint-${old}`);
  }

  /** The newest complete checkpoint; undefined before the first. */
  async loadCheckpoint(runId: string, config: ModelConfig): Promise<Checkpoint | undefined> {
    const steps = await this.checkpointSteps(runId);
    if (steps.length === 0) return undefined;
    return this.readCheckpoint(runId, Math.max(...steps), config);
  }

  /** The checkpoint of one step. @throws StorageError, TrainingError */
  async readCheckpoint(runId: string, step: number, config: ModelConfig): Promise<Checkpoint> {
    const folder = `${folderOf(runId)}/checkpoint-${step}`;
    const files = new Map<string, Uint8Array>();
    for (const name of CHECKPOINT_FILES) {
      const file = await this.context.files.readFile(`${folder}/${name}`);
      files.set(name, new Uint8Array(await file.arrayBuffer()));
    }
    return readCheckpoint(files, linearSites(config));
  }

  async rename(id: string, name: string): Promise<void> {
    await this.save({ ...(await this.get(id)), name });
  }

  async delete(id: string): Promise<void> {
    await this.context.tables.remove('runs', id);
    await this.context.files.remove(folderOf(id));
  }

  private async checkpointSteps(runId: string): Promise<number[]> {
    const entries = await this.context.files.list(folderOf(runId));
    return entries.flatMap(({ path }) => {
      const match = /\/checkpoint-(\d+)\/complete$/.exec(path);
      return match ? [Number(match[1])] : [];
    });
  }
}

const folderOf = (runId: string) => `runs/${runId}`;

export const isActive = ({ status }: RunSummary) => status === 'running' || status === 'paused';
