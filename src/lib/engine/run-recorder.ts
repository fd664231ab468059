/** Keeps a run's record on disk true while the run goes on. */
import { InkstoneError } from '../config';
import type { AdapterOrigin, TrainRequest } from '../rpc/engine-api';
import type { EvalReport, StepReport, Trainer } from '../training';
import { newId } from './context';
import { isStorageFull } from './errors';
import type { RunFacts, RunLibrary } from './run-library';
import { WorkClock } from './work-clock';

/** The record is written at most so often between checkpoints. */
const SAVE_INTERVAL_MS = 2000;

/** A lost device, and memory or storage that others have taken. */
const PASSING: ReadonlySet<string> = new Set(['device-lost', 'out-of-memory', 'full']);

export interface RecordedRequest extends TrainRequest {
  /** The adapter that the run began with. */
  readonly startedFrom?: AdapterOrigin;
}

export class RunRecorder {
  run: RunFacts;
  private savedAt = 0;
  /** Stopped while the run is paused. */
  readonly clock: WorkClock;

  constructor(
    private readonly runs: RunLibrary,
    request: RecordedRequest,
    private readonly trainer: Trainer,
    before: RunFacts | undefined,
  ) {
    this.clock = new WorkClock(before?.elapsedMs ?? 0);
    this.run = {
      id: before?.id ?? newId('run'),
      name: before?.name ?? request.name,
      modelId: request.modelId,
      datasetId: request.datasetId,
      evalShare: request.evalShare,
      evalDatasetId: request.evalDatasetId,
      leaveOut: request.leaveOut,
      startedFrom: request.startedFrom,
      status: 'running',
      createdAt: before?.createdAt ?? Date.now(),
      step: trainer.step,
      totalSteps: trainer.shape.totalSteps,
      trainableParams: trainer.layout.trainableCount,
      allParams: trainer.allParams,
      peft: request.peft,
      training: request.training,
      log: (before?.log ?? []).filter(({ step }) => step <= trainer.step),
      samples: (before?.samples ?? []).filter(({ step }) => step <= trainer.step),
      elapsedMs: before?.elapsedMs ?? 0,
    };
  }

  step(report: StepReport): void {
    const { epoch, grad_norm, learning_rate, loss, step } = report;
    const log = [...this.run.log, { epoch, grad_norm, learning_rate, loss, step }];
    this.run = { ...this.run, step, log };
    this.clock.step(report.elapsedMs);
    // What cannot be written now is written with the next checkpoint, which says so if it cannot either.
    if (performance.now() - this.savedAt > SAVE_INTERVAL_MS) this.save({}).catch(() => undefined);
  }

  /** One a step: an evaluation that a killed run had made and not kept is made again. */
  evaluation({ epoch, eval_loss, step }: EvalReport): void {
    const others = this.run.log.filter((entry) => !('eval_loss' in entry) || entry.step !== step);
    this.run = { ...this.run, log: [...others, { epoch, eval_loss, step }] };
  }

  sample(step: number, prompt: string, text: string): void {
    this.run = { ...this.run, samples: [...this.run.samples, { step, prompt, text }] };
  }

  secondsLeft({ step }: StepReport): number {
    return ((this.trainer.shape.totalSteps - step) * this.clock.stepMs) / 1000;
  }

  /** As `save`, for what a full device is no reason to end a run: the next save has it. */
  async saveIfRoom(change: Partial<RunFacts>): Promise<void> {
    try {
      await this.save(change);
    } catch (error) {
      if (!isStorageFull(error)) throw error;
    }
  }

  async save(change: Partial<RunFacts>): Promise<void> {
    this.savedAt = performance.now();
    this.run = { ...this.run, ...change, elapsedMs: this.clock.elapsedMs };
    await this.runs.save(this.run);
  }

  /** What may pass leaves a run that can go on from its last checkpoint; anything else is its end. */
  async fail(error: unknown): Promise<void> {
    const code = error instanceof InkstoneError ? error.code : 'failed';
    const message = error instanceof Error ? error.message : String(error);
    const status = PASSING.has(code) ? 'interrupted' : 'failed';
    await this.save({ status, error: { code, message } }).catch(() => undefined);
  }
}
