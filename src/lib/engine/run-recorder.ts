/** Keeps a run's record on disk true while the run goes on. */
import { DEFAULT_TRAINING_ARGUMENTS, SAMPLE_TOKENS } from '../config';
import type { Gpu } from '../gpu';
import type { AdapterOrigin, RunProvenance, SampleAnswer, TrainRequest } from '../rpc/engine-api';
import type { EvalReport, StepReport, Trainer } from '../training';
import { newId } from './context';
import { describeError, isStorageFull } from './errors';
import type { RunFacts, RunLibrary } from './run-library';
import { TimeToCome } from './time-to-come';
import { WorkClock } from './work-clock';

/** The record is written at most so often between checkpoints. */
const SAVE_INTERVAL_MS = 2000;

/** A lost device, and memory or storage that others have taken. */
const PASSING: ReadonlySet<string> = new Set(['device-lost', 'out-of-memory', 'full']);

export interface RecordedRequest extends TrainRequest {
  /** The adapter that the run began with. */
  readonly startedFrom?: AdapterOrigin;
  readonly provenance?: RunProvenance;
}

export interface RecorderParts {
  readonly runs: RunLibrary;
  readonly request: RecordedRequest;
  readonly trainer: Trainer;
  readonly gpu: Pick<Gpu, 'liveBytes'>;
  /** The run that goes on. */
  readonly before: RunFacts | undefined;
}

export class RunRecorder {
  run: RunFacts;
  private savedAt = 0;
  /** Stopped while the run is paused. */
  readonly clock: WorkClock;

  readonly toCome: TimeToCome;

  constructor(private readonly parts: RecorderParts) {
    const { request, trainer, before } = parts;
    this.clock = new WorkClock(before?.elapsedMs ?? 0);
    const args = { ...DEFAULT_TRAINING_ARGUMENTS, ...request.training };
    this.toCome = new TimeToCome(args, trainer.shape, request.sampleEvery);
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
      samplePrompts: request.samplePrompts,
      sampleEvery: request.sampleEvery ?? 0,
      max_new_tokens: request.max_new_tokens ?? SAMPLE_TOKENS.default,
      elapsedMs: before?.elapsedMs ?? 0,
      // Of the time that an older version has counted nobody knows the tokens.
      tokenCount: before ? before.tokenCount : 0,
      peakGpuBytes: before?.peakGpuBytes,
      provenance: request.provenance,
    };
    this.lookAtMemory();
  }

  step(report: StepReport): void {
    const { epoch, grad_norm, learning_rate, loss, step } = report;
    const entry = { epoch, grad_norm, learning_rate, loss, step, ...speedOf(report) };
    const { log, tokenCount } = this.run;
    this.run = {
      ...this.run,
      step,
      log: [...log, entry],
      tokenCount: tokenCount === undefined ? undefined : tokenCount + report.tokenCount,
    };
    this.lookAtMemory();
    this.clock.step(report.elapsedMs);
    // What cannot be written now is written with the next checkpoint, which says so if it cannot either.
    if (performance.now() - this.savedAt > SAVE_INTERVAL_MS) this.save({}).catch(() => undefined);
  }

  /** One a step: an evaluation that a killed run had made and not kept is made again. */
  evaluation({ elapsedMs, ...found }: EvalReport): void {
    this.toCome.evaluated(elapsedMs);
    this.lookAtMemory();
    const isOther = (entry: RunFacts['log'][number]) =>
      !('eval_loss' in entry) || entry.step !== found.step;
    this.run = { ...this.run, log: [...this.run.log.filter(isOther), found] };
  }

  sample(answer: SampleAnswer): void {
    this.run = { ...this.run, samples: [...this.run.samples, answer] };
  }

  secondsLeft({ step }: StepReport): number {
    return this.toCome.msAfter(step, this.clock.stepMs) / 1000;
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
    await this.parts.runs.save(this.run);
  }

  /** What may pass leaves a run that can go on from its last checkpoint; anything else is its end. */
  async fail(error: unknown): Promise<void> {
    const { code, message } = describeError(error);
    const status = PASSING.has(code) ? 'interrupted' : 'failed';
    await this.save({ status, error: { code, message } }).catch(() => undefined);
  }

  private lookAtMemory(): void {
    const peakGpuBytes = Math.max(this.run.peakGpuBytes ?? 0, this.parts.gpu.liveBytes);
    this.run = { ...this.run, peakGpuBytes };
  }
}

/** To a tenth: a log has an entry for every step. */
const speedOf = ({ tokenCount, elapsedMs }: StepReport) =>
  elapsedMs > 0 ? { tokens_per_second: Math.round((10_000 * tokenCount) / elapsedMs) / 10 } : {};
