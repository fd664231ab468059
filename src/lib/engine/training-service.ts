/**
 * One training run from request to adapter: rows, trainer, pauses, samples, checkpoints, record.
 * The run's record and checkpoint are always on disk, so that a killed tab loses at most a few minutes of work,
 * and none of a run that is paused.
 */
import {
  DEFAULT_TRAINING_ARGUMENTS,
  evaluatesItself,
  SAMPLE_TOKENS,
  type TrainingArguments,
} from '../config';
import { adaptedModel } from '../decoder';
import type { Gpu } from '../gpu';
import type { CallContext } from '../rpc/protocol';
import type { PreparedPart, RunSummary, TrainEvent, TrainRequest } from '../rpc/engine-api';
import { holdLock, RUN_LOCK } from '../storage';
import {
  rowsShape,
  Trainer,
  trainedShape,
  withSuggestion,
  writeCheckpoint,
  type StepReport,
} from '../training';
import type { AdapterLibrary } from './adapter-library';
import { baseModelOf } from './base-model';
import { CheckpointSaver } from './checkpoint-saver';
import type { EngineContext } from './context';
import type { DatasetLibrary } from './dataset-library';
import { encodeDataset } from './encode-dataset';
import { EngineError, isStorageFull } from './errors';
import type { LoadedModel } from './open-model';
import type { RunLibrary } from './run-library';
import { provenanceOf } from './run-provenance';
import { RunRecorder } from './run-recorder';
import { dataOfRun, refuseOtherModel } from './run-goes-on';
import { rowsOfRun } from './run-rows';
import { SampleAsker } from './sample-asker';
import { startFromAdapter } from './starting-adapter';

/** Waits until the person goes on or stops. */
interface Pause {
  readonly wait: Promise<'resume' | 'stop'>;
  readonly end: (how: 'resume' | 'stop') => void;
}

interface Current {
  /** Aborts when nobody waits for the run any more. */
  readonly caller: AbortSignal;
  readonly stop: AbortController;
  keep: boolean;
  paused: Pause | undefined;
  saveSoon: boolean;
  /** From when the model is open until the run ends. */
  holdsModel: boolean;
  readonly emit: (event: TrainEvent) => void;
}

interface Running {
  readonly record: RunRecorder;
  readonly saver: CheckpointSaver;
  readonly trainer: Trainer;
}

export interface TrainingParts {
  readonly context: EngineContext;
  readonly datasets: DatasetLibrary;
  readonly runs: RunLibrary;
  readonly adapters: AdapterLibrary;
  readonly open: (
    modelId: string,
    context: Pick<CallContext, 'signal'>,
    fourBit: boolean,
  ) => Promise<LoadedModel>;
}

/** What a run is made of, once its model is open. */
interface Setup {
  readonly model: LoadedModel;
  readonly gpu: Gpu;
  readonly args: TrainingArguments;
  readonly settled: TrainRequest;
  /** Of the run that it goes on with. */
  readonly before: RunSummary | undefined;
}

export class TrainingService {
  private current: Current | undefined;
  private ended: Promise<unknown> | undefined;

  constructor(private readonly parts: TrainingParts) {}

  get active(): boolean {
    return this.current !== undefined;
  }

  /** Whether a run uses the open model, which then stays open as it is. */
  get holdsModel(): boolean {
    return this.current?.holdsModel ?? false;
  }

  /**
   * Stopped before the first step it leaves nothing of a new run.
   * @throws EngineError `busy`, `no-training`; StorageError `second-tab`; TrainingError; GpuError; AbortError when it is
   *   stopped while it prepares
   */
  async train(request: TrainRequest, context: CallContext<TrainEvent>): Promise<RunSummary> {
    // One that was told to stop is waited for.
    while (this.current?.stop.signal.aborted) await this.ended;
    context.signal.throwIfAborted();
    if (this.current)
      throw new EngineError('busy', 'A training run is going on. Stop it before another starts.');
    const stop = new AbortController();
    const { signal: caller, progress: emit } = context;
    const current: Current = {
      ...{ caller, stop, emit },
      ...{ keep: true, paused: undefined, saveSoon: false, holdsModel: false },
    };
    this.current = current;
    caller.addEventListener('abort', () => end(current), { once: true });
    const running = holdLock(RUN_LOCK, { signal: stop.signal }, () => this.run(request, current));
    this.ended = running.catch(() => undefined).then(() => (this.current = undefined));
    await this.ended;
    return running;
  }

  pause(): void {
    this.running().paused ??= newPause();
  }

  /** Its tab may be about to die. */
  saveSoon(): void {
    if (this.current) this.current.saveSoon = true;
  }

  resume(): void {
    const current = this.running();
    current.paused?.end('resume');
    current.paused = undefined;
  }

  stop(keep: boolean): void {
    const current = this.running();
    current.keep = keep;
    end(current);
  }

  private running(): Current {
    if (!this.current) throw new EngineError('not-running', 'No training run is going on.');
    return this.current;
  }

  private async run(asked: TrainRequest, current: Current): Promise<RunSummary> {
    const { runs, open } = this.parts;
    const before = asked.resumeRunId ? await runs.get(asked.resumeRunId) : undefined;
    const settled = before
      ? { ...asked, ...settingsOf(before), ...(await dataOfRun(this.parts.datasets, before)) }
      : asked;
    // A shortage of the run's own ends it, and no other does.
    const gpu = (await this.parts.context.device.requireGpu()).forOwner();
    // A record of an older version lacks what came later.
    const args = { ...DEFAULT_TRAINING_ARGUMENTS, ...settled.training };
    const model = await open(settled.modelId, current.stop, args.load_in_4bit);
    current.holdsModel = true;
    const setup = { model, gpu, args, settled, before };
    return model.keepingNone(() => this.runOn(setup, current));
  }

  private async runOn(setup: Setup, current: Current): Promise<RunSummary> {
    const { runs } = this.parts;
    const { model, gpu, args, settled, before } = setup;
    if (before) refuseOtherModel(model.summary, before);
    const { config, tokenizer } = model.folder;
    const { signal } = current.stop;
    const preparing = (part: PreparedPart) => (done: number, total: number) =>
      current.emit({ kind: 'preparing', part, share: done / total });
    const checkpoint = before && (await runs.checkpoints.load(before.id, settled.peft, config));
    const start =
      settled.initAdapterId !== undefined && !checkpoint
        ? await startFromAdapter(
            this.parts.adapters,
            settled.initAdapterId,
            settled.modelId,
            config,
          )
        : undefined;
    const request = {
      ...settled,
      peft: start?.peft ?? settled.peft,
      startedFrom: before?.startedFrom ?? start?.startedFrom,
      provenance: await provenanceOf(
        { ...this.parts, gpu, model: model.summary, request: settled },
        before,
      ),
    };
    const { trainRows, evalRows } = await rowsOfRun(this.parts.datasets, request);
    const encoding = {
      maxLength: Math.min(args.max_length, config.maxPositionEmbeddings),
      trainOnPrompt: args.train_on_prompt,
      splitLongText: args.split_long_text,
    };
    const encoded = await encodeDataset(trainRows, tokenizer, {
      ...encoding,
      leaveOutCut: request.leaveOut?.includes('cut'),
      signal,
      onProgress: (done) => preparing('rows')(done, trainRows.length),
    });
    const heldBack =
      evaluatesItself(args) && evalRows.length > 0
        ? (await encodeDataset(evalRows, tokenizer, { ...encoding, signal })).rows
        : [];
    const settings = { gpu, config, peft: request.peft, args };
    const explained = (error: unknown) =>
      withSuggestion(error, {
        ...settings,
        hasGivenAdapter: request.initAdapterId !== undefined || checkpoint !== undefined,
        trained: trainedShape(encoded.rows, args, encoding.maxLength),
        evaluated: rowsShape(heldBack),
        dtypeOf: model.trainedDtype,
      });
    const trainer = await Trainer.create({
      ...settings,
      weights: model.weights,
      rows: encoded.rows,
      evalRows: heldBack,
      checkpoint,
      initialValues: start?.initialValues,
      signal,
      onInit: preparing('adapter'),
    }).catch(async (error: unknown) => {
      throw await explained(error);
    });
    const record = new RunRecorder({ runs, request, trainer, gpu, before });
    const saver = new CheckpointSaver({
      checkpoints: runs.checkpoints,
      record,
      toFiles: (at) =>
        writeCheckpoint(at, request.peft, adaptedModel(config), baseModelOf(model.summary)),
      emit: current.emit,
      waitForSpace: (step) => this.waitForSpace(current, record, step),
    });
    const samples = new SampleAsker({
      model,
      trainer,
      prompts: request.samplePrompts,
      every: request.sampleEvery ?? 0,
      maxNewTokens: request.max_new_tokens ?? SAMPLE_TOKENS.default,
      signal,
      emit: current.emit,
      record,
    });
    try {
      await record.save({ status: 'running' });
      current.emit({
        kind: 'prepared',
        runId: record.run.id,
        totalSteps: trainer.shape.totalSteps,
        trainableParams: trainer.layout.trainableCount,
        allParams: trainer.allParams,
        trainRows: encoded.rowCount,
        evalRows: evalRows.length,
        cutRows: encoded.cutRows,
        splitTexts: encoded.splitTexts,
        gpuBytes: gpu.liveBytes,
        startStep: trainer.step,
      });
      await samples.rememberStart();
      await trainer.run({
        signal,
        gate: () => this.gate(current, { record, saver, trainer }),
        onStep: (report) => {
          record.step(report);
          current.emit(stepEvent(report, record.secondsLeft(report), gpu.liveBytes));
        },
        onEvaluate: (report) => {
          record.evaluation(report);
          const { step, eval_loss: evalLoss, eval_mean_token_accuracy: tokenAccuracy } = report;
          current.emit({ kind: 'evaluation', step, evalLoss, tokenAccuracy });
        },
        onCheckpoint: (at) => saver.save(at),
        loadCheckpoint: (step) =>
          runs.checkpoints.loadValues(record.run.id, step, request.peft, config),
        afterStep: (step) => samples.askAfter(step),
      });
      const { finished } = trainer;
      const hasNothing = trainer.step === 0 && !before;
      if (!finished && (!current.keep || hasNothing)) return await this.discard(record);
      if (!finished && trainer.step > 0) await saver.saveLast(await trainer.checkpoint());
      await record.save({ status: finished ? 'finished' : 'stopped' });
      return await runs.get(record.run.id);
    } catch (error) {
      // It was told to discard while it waited for space.
      if (isStorageFull(error) && !current.keep) return await this.discard(record);
      // What ended it may have left the parameters as they were: then nothing that it has learned is lost.
      if (trainer.isWhole && !isStorageFull(error) && trainer.step > 0)
        await saver.saveResumePoint(trainer).catch(() => undefined);
      await record.fail(error);
      throw await explained(error);
    } finally {
      trainer.dispose();
    }
  }

  private async discard(record: RunRecorder): Promise<RunSummary> {
    await this.parts.runs.delete(record.run.id);
    return { ...record.run, status: 'stopped', checkpoints: [] };
  }

  /** Whether to try again. Nobody can say so once the caller has gone. */
  private async waitForSpace(current: Current, record: RunRecorder, step: number) {
    if (current.caller.aborted) return false;
    const pause = (current.paused ??= newPause());
    await record.saveIfRoom({ status: 'paused' });
    current.emit({ kind: 'storage-full', step, waiting: true });
    return (await record.clock.stoppedDuring(pause.wait)) === 'resume';
  }

  private async gate(current: Current, { record, saver, trainer }: Running): Promise<void> {
    const { step } = trainer;
    const { saveSoon, paused } = current;
    current.saveSoon = false;
    if (!paused) return saver.saveResumePointWhenDue(trainer, saveSoon);
    current.emit({ kind: 'paused', step });
    await record.saveIfRoom({ status: 'paused' });
    await saver.saveResumePoint(trainer);
    // Over already, where the person went on while it was being saved.
    await record.clock.stoppedDuring(paused.wait);
    if (current.stop.signal.aborted) return;
    await record.saveIfRoom({ status: 'running' });
    current.emit({ kind: 'resumed', step });
  }
}

/** A resumed run goes on with the rows and settings that it began with, whatever the page remembers. */
const settingsOf = ({
  modelId,
  datasetId,
  evalShare,
  evalDatasetId,
  leaveOut,
  startedFrom,
  peft,
  training,
}: RunSummary) => ({
  modelId,
  datasetId,
  evalShare,
  evalDatasetId,
  leaveOut,
  initAdapterId: startedFrom?.adapterId,
  peft,
  training,
});

function newPause(): Pause {
  let finish = (_how: 'resume' | 'stop') => {};
  const wait = new Promise<'resume' | 'stop'>((resolve) => (finish = resolve));
  return { wait, end: finish };
}

/** A pause that begins after it, because there is no room for the last checkpoint, is another. */
function end(current: Current): void {
  current.stop.abort();
  current.paused?.end('stop');
  current.paused = undefined;
}

function stepEvent(report: StepReport, secondsLeft: number, gpuBytes: number): TrainEvent {
  return {
    kind: 'step',
    step: report.step,
    epoch: report.epoch,
    loss: report.loss,
    gradNorm: report.grad_norm,
    learningRate: report.learning_rate,
    tokensPerSecond: (1000 * report.tokenCount) / report.elapsedMs,
    secondsLeft,
    gpuBytes,
  };
}
