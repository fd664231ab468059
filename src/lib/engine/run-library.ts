/** Training runs on this device: their records, and with each what its checkpoints tell. */
import type { RunSummary } from '../rpc/engine-api';
import { adapterIdOf, finalCheckpoint } from './adapter-id';
import { CheckpointStore, type StoredCheckpoint } from './checkpoint-store';
import { isTraining, type EngineContext } from './context';
import { EngineError, notFound } from './errors';

/** What is written down of a run; the rest is read from its checkpoints. */
export type RunFacts = Omit<RunSummary, 'checkpoints' | 'adapterId'>;

export interface RunRecord extends RunFacts {
  schemaVersion: 1;
  /** Written by older versions, which kept a copy of the newest adapter under this id. */
  adapterId?: string;
  /** When checkpoints were saved, by step, where their files say less: they came with an import. */
  savedAt?: Readonly<Record<string, number>>;
}

export class RunLibrary {
  readonly checkpoints: CheckpointStore;

  constructor(private readonly context: EngineContext) {
    this.checkpoints = new CheckpointStore(context.files);
  }

  /** Newest first. */
  async list(): Promise<RunSummary[]> {
    const records = await this.context.tables.list<RunRecord>('runs');
    const stored = await this.checkpoints.listAll();
    const alive = await isTraining();
    return records
      .map((record) => {
        const own = stored.filter(({ runId }) => runId === record.id);
        return toSummary(record, own, alive);
      })
      .sort((a, b) => b.createdAt - a.createdAt);
  }

  /** @throws EngineError `not-found` */
  async get(id: string): Promise<RunSummary> {
    const run = await this.find(id);
    if (!run) throw notFound('run', id);
    return run;
  }

  async find(id: string): Promise<RunSummary | undefined> {
    const record = await this.context.tables.get<RunRecord>('runs', id);
    return record && toSummary(record, await this.checkpoints.list(id), await isTraining());
  }

  /** What a run writes of itself. Its name is the person's, who may have changed it meanwhile, in any tab. */
  async save(facts: RunFacts): Promise<void> {
    await this.context.tables.update<RunRecord>('runs', facts.id, (found) => ({
      ...facts,
      name: found?.name ?? facts.name,
      ...(found?.savedAt && { savedAt: found.savedAt }),
      schemaVersion: 1,
    }));
  }

  async rename(id: string, name: string): Promise<void> {
    await this.context.tables.update<RunRecord>('runs', id, (found) => {
      if (!found) throw notFound('run', id);
      return { ...found, name };
    });
  }

  /** @param keepStep step whose adapter stays, under a record of its own */
  async delete(id: string, keepStep?: number): Promise<void> {
    await this.context.tables.remove('runs', id);
    await this.checkpoints.removeAll(id, keepStep);
  }

  /** @throws EngineError `busy` while the run may be going on, here or in another tab */
  async refuseWhileActive(id: string): Promise<void> {
    const record = await this.context.tables.get<RunRecord>('runs', id);
    if (record && isActive(record) && (await isTraining()))
      throw new EngineError('busy', `${record.name} is going on. Stop it before deleting from it.`);
  }
}

/** A run that says it is running while nobody holds the lock was interrupted, unless its last checkpoint is there. */
function toSummary(
  { schemaVersion: _version, adapterId, savedAt, ...facts }: RunRecord,
  stored: readonly StoredCheckpoint[],
  alive: boolean,
): RunSummary {
  const checkpoints = stored.map((checkpoint) => ({
    ...toCheckpointSummary(checkpoint),
    savedAt: savedAt?.[checkpoint.step] ?? checkpoint.savedAt,
  }));
  const newest = checkpoints.at(-1);
  const final = finalCheckpoint({ ...facts, checkpoints });
  const summary = { ...facts, checkpoints, adapterId: final?.adapterId ?? adapterId };
  const cutShort = facts.status === 'interrupted' || (isActive(facts) && !alive);
  if (!cutShort) return summary;
  if (newest && newest.step >= facts.totalSteps)
    return { ...summary, status: 'finished', step: newest.step, error: undefined };
  return { ...summary, status: 'interrupted' };
}

function toCheckpointSummary(stored: StoredCheckpoint) {
  const { runId, step, sizeBytes, resumeBytes } = stored;
  return { step, adapterId: adapterIdOf(runId, step), sizeBytes, resumeBytes };
}

export const isActive = ({ status }: Pick<RunSummary, 'status'>) =>
  status === 'running' || status === 'paused';
