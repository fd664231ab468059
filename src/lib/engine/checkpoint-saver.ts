/**
 * Saves the checkpoints of a run in an order that no crash can hurt: what came before it in the record, the
 * new one whole, and only then the old ones thinned out. A full device does not end a run: what it learns is on the GPU, so it
 * goes on, and only its last checkpoint waits for room.
 */
import type { TrainEvent } from '../rpc/engine-api';
import type { Checkpoint, CheckpointFiles } from '../training';
import type { CheckpointStore } from './checkpoint-store';
import { isStorageFull } from './errors';
import type { RunRecorder } from './run-recorder';

export interface CheckpointSaverOptions {
  readonly checkpoints: CheckpointStore;
  readonly record: RunRecorder;
  readonly toFiles: (checkpoint: Checkpoint) => CheckpointFiles;
  readonly emit: (event: TrainEvent) => void;
  /** Resolves when there may be room; false when the person gives up. */
  readonly waitForSpace: (step: number) => Promise<boolean>;
}

export class CheckpointSaver {
  constructor(private readonly options: CheckpointSaverOptions) {}

  /** @throws StorageError, but not `full` before the last step */
  async save(at: Checkpoint): Promise<void> {
    const step = at.state.global_step;
    if (step >= this.options.record.run.totalSteps) return this.saveLast(at);
    try {
      await this.write(at);
    } catch (error) {
      if (!isStorageFull(error)) throw error;
      this.options.emit({ kind: 'storage-full', step, waiting: false });
    }
  }

  /** @throws StorageError `full` when the person gives up waiting for room */
  async saveLast(at: Checkpoint): Promise<void> {
    for (;;) {
      try {
        return await this.write(at);
      } catch (error) {
        if (!isStorageFull(error)) throw error;
        if (!(await this.options.waitForSpace(at.state.global_step))) throw error;
      }
    }
  }

  private async write(at: Checkpoint): Promise<void> {
    const { checkpoints, record, toFiles, emit } = this.options;
    const step = at.state.global_step;
    const { id, training } = record.run;
    // Before the checkpoint: a run that is killed between the two would have a hole in its curve.
    await record.save({});
    await checkpoints.write(id, step, toFiles(at));
    // A file that cannot be removed now, because it is being read, goes with the next rotation.
    await checkpoints.rotate(id, step, training.save_total_limit ?? null).catch(() => undefined);
    emit({ kind: 'checkpoint', step });
  }
}
