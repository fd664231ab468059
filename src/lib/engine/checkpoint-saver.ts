/**
 * Saves the checkpoints of a run in an order that no crash can hurt: the record of what came before, the
 * new one whole, and only then the old ones thinned out. A full device does not end a run: what it
 * learns is on the GPU, so it goes on, and only its last checkpoint waits for room. Between the checkpoints that
 * were asked for there are resume points: when the run is paused, and every few minutes.
 */
import type { TrainEvent } from '../rpc/engine-api';
import {
  checkpointStep,
  isResumePointDue,
  type Checkpoint,
  type CheckpointFiles,
  type Trainer,
} from '../training';
import type { CheckpointKind, CheckpointStore } from './checkpoint-store';
import { isStorageFull } from './errors';
import type { RunRecorder } from './run-recorder';

/** Work that may be lost at most where the tab may be about to die. */
const SOON_MS = 15_000;

export interface CheckpointSaverOptions {
  readonly checkpoints: CheckpointStore;
  readonly record: RunRecorder;
  readonly toFiles: (checkpoint: Checkpoint) => CheckpointFiles;
  readonly emit: (event: TrainEvent) => void;
  /** Resolves when there may be room; false when the person gives up. */
  readonly waitForSpace: (step: number) => Promise<boolean>;
}

export class CheckpointSaver {
  /** The step that the run could go on from, and how long it had worked by then. */
  private saved: { step: number; workedMs: number };
  private costMs = 0;

  constructor(private readonly options: CheckpointSaverOptions) {
    const { step } = options.record.run;
    this.saved = { step, workedMs: options.record.clock.elapsedMs };
  }

  /** @throws StorageError, but not `full` before the last step */
  async save(at: Checkpoint): Promise<void> {
    const step = at.state.global_step;
    if (at.state.stateful_callbacks.TrainerControl.args.should_training_stop)
      return this.saveLast(at);
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

  /** A full device leaves the run as it is: the next save has all of it. */
  async saveResumePoint(trainer: Pick<Trainer, 'step' | 'checkpoint'>): Promise<void> {
    const { step } = trainer;
    if (step === this.saved.step) return;
    try {
      await this.write(await trainer.checkpoint(), 'resume-point');
    } catch (error) {
      if (!isStorageFull(error)) throw error;
      // Not again before its time.
      this.saved = { ...this.saved, workedMs: this.options.record.clock.elapsedMs };
      this.options.emit({ kind: 'storage-full', step, waiting: false });
    }
  }

  /** @param soon the tab may be about to die */
  async saveResumePointWhenDue(
    trainer: Pick<Trainer, 'step' | 'checkpoint'>,
    soon = false,
  ): Promise<void> {
    const unsavedMs = this.options.record.clock.elapsedMs - this.saved.workedMs;
    if (isResumePointDue(unsavedMs, this.costMs, soon ? SOON_MS : undefined))
      await this.saveResumePoint(trainer);
  }

  private async write(at: Checkpoint, kind: CheckpointKind = 'asked'): Promise<void> {
    const { checkpoints, record, toFiles, emit } = this.options;
    const step = at.state.global_step;
    const { id, training } = record.run;
    const started = performance.now();
    // Before the checkpoint: a run that is killed between the two would have a hole in its curve.
    await record.save({});
    await checkpoints.write(id, step, toFiles(at), kind);
    this.costMs = performance.now() - started;
    this.saved = { step, workedMs: record.clock.elapsedMs };
    const best = checkpointStep(at.state.best_model_checkpoint ?? '');
    if (training.load_best_model_at_end && kind === 'asked') await record.save({ bestStep: best });
    // A file that cannot be removed now, because it is being read, goes with the next rotation.
    await checkpoints
      .rotate(id, step, kind === 'asked' ? (training.save_total_limit ?? null) : null, best)
      .catch(() => undefined);
    emit({ kind: 'checkpoint', step });
  }
}
