/**
 * One training run from request to adapter: rows, trainer, pauses, samples, checkpoints, record.
 * The run's record and checkpoint are always on disk, so that a killed tab loses at most the steps
 * since the last checkpoint.
 */
import { DEFAULT_TRAINING_ARGUMENTS } from '../config';
import { linearSites } from '../decoder';
import { splitRows, type DatasetRow } from '../formats';
import { layoutLora, writeAdapter } from '../peft';
import type { CallContext } from '../rpc/protocol';
import type { AdapterSummary, RunSummary, TrainEvent, TrainRequest } from '../rpc/engine-api';
import { holdLock, RUN_LOCK } from '../storage';
import {
  checkpointStep,
  Trainer,
  writeCheckpoint,
  type Checkpoint,
  type StepReport,
} from '../training';
import type { AdapterLibrary } from './adapter-library';
import type { EngineContext } from './context';
import type { DatasetLibrary } from './dataset-library';
import { encodeDataset } from './encode-dataset';
import { EngineError } from './errors';
import type { LoadedModel } from './open-model';
import type { RunLibrary } from './run-library';
import { RunRecorder } from './run-recorder';
import { SampleAsker } from './sample-asker';

interface Current {
  readonly stop: AbortController;
  keep: boolean;
  paused: { wait: Promise<void>; resume: () => void } | undefined;
  readonly emit: (event: TrainEvent) => void;
}

export interface TrainingParts {
  readonly context: EngineContext;
  readonly datasets: DatasetLibrary;
  readonly adapters: AdapterLibrary;
  readonly runs: RunLibrary;
  readonly open: (modelId: string, context: Pick<CallContext, 'signal'>) => Promise<LoadedModel>;
}

export class TrainingService {
  private current: Current | undefined;

  constructor(private readonly parts: TrainingParts) {}

  get active(): boolean {
    return this.current !== undefined;
  }

  /**
   * @throws EngineError `busy`, `no-training`; StorageError `second-tab`; TrainingError; GpuError
   */
  async train(request: TrainRequest, context: CallContext<TrainEvent>): Promise<RunSummary> {
    if (this.current)
      throw new EngineError('busy', 'A training run is going on. Stop it before another starts.');
    const stop = new AbortController();
    context.signal.addEventListener('abort', () => stop.abort(), { once: true });
    const current: Current = { stop, keep: true, paused: undefined, emit: context.progress };
    this.current = current;
    try {
      return await holdLock(RUN_LOCK, { signal: stop.signal }, () => this.run(request, current));
    } finally {
      this.current = undefined;
    }
  }

  pause(): void {
    const current = this.running();
    if (current.paused) return;
    let resume = () => {};
    const wait = new Promise<void>((resolve) => (resume = resolve));
    current.paused = { wait, resume };
  }

  resume(): void {
    const current = this.running();
    current.paused?.resume();
    current.paused = undefined;
  }

  stop(keep: boolean): void {
    const current = this.running();
    current.keep = keep;
    current.stop.abort();
    current.paused?.resume();
  }

  private running(): Current {
    if (!this.current) throw new EngineError('not-running', 'No training run is going on.');
    return this.current;
  }

  private async run(asked: TrainRequest, current: Current): Promise<RunSummary> {
    const { runs, open } = this.parts;
    const before = asked.resumeRunId ? await runs.get(asked.resumeRunId) : undefined;
    const request = before ? { ...asked, ...settingsOf(before) } : asked;
    const gpu = await this.parts.context.device.requireGpu();
    const model = await open(request.modelId, current.stop);
    const { config, tokenizer } = model.folder;
    const { trainRows, evalRows } = await this.rowsFor(request);
    // A record of an older version lacks what came later.
    const args = { ...DEFAULT_TRAINING_ARGUMENTS, ...request.training };
    const encoding = {
      maxLength: Math.min(args.max_length, config.maxPositionEmbeddings),
      trainOnPrompt: args.train_on_prompt,
    };
    const encoded = encodeDataset(trainRows, tokenizer, encoding);
    const evaluates = args.eval_strategy !== 'no' || args.eval_on_start;
    const heldBack =
      evaluates && evalRows.length > 0 ? encodeDataset(evalRows, tokenizer, encoding).rows : [];
    const checkpoint = before && (await runs.loadCheckpoint(before.id, config));
    const trainer = await Trainer.create({
      gpu,
      config,
      weights: model.weights,
      lora: request.lora,
      args,
      rows: encoded.rows,
      evalRows: heldBack,
      checkpoint,
    });
    const record = new RunRecorder(runs, request, trainer, before);
    const baseName = model.summary.name;
    const save = async (at: Checkpoint) => {
      const step = at.state.global_step;
      const files = writeCheckpoint(at, trainer.layout, request.lora, baseName);
      const best = checkpointStep(at.state.best_model_checkpoint ?? '');
      await runs.saveCheckpoint(record.run.id, step, files, best);
      await this.saveAdapter(record.run, at, baseName);
      await record.save({ adapterId: adapterIdOf(record.run) });
      current.emit({ kind: 'checkpoint', step });
    };
    const samples = new SampleAsker({
      model,
      trainer,
      prompts: request.samplePrompts,
      signal: current.stop.signal,
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
        trainRows: encoded.rows.length,
        evalRows: evalRows.length,
        cutRows: encoded.cutRows,
        gpuBytes: gpu.liveBytes,
        startStep: trainer.step,
      });
      await samples.ask(trainer.step);
      await trainer.run({
        signal: current.stop.signal,
        gate: () => this.gate(current, record, trainer.step),
        onStep: (report) => {
          record.step(report);
          current.emit(stepEvent(report, record.secondsLeft(report), gpu.liveBytes));
        },
        onEvaluate: ({ step, eval_loss }) =>
          current.emit({ kind: 'evaluation', step, evalLoss: eval_loss }),
        onCheckpoint: save,
        loadCheckpoint: (step) => runs.readCheckpoint(record.run.id, step, config),
        afterStep: (step) => samples.askWhenDue(step),
      });
      const { finished } = trainer;
      if (finished && args.load_best_model_at_end)
        await this.saveAdapter(record.run, await trainer.checkpoint(), baseName);
      if (!finished && current.keep && trainer.step > 0) await save(await trainer.checkpoint());
      if (!finished && !current.keep) return await this.discard(record);
      return await record.save({ status: finished ? 'finished' : 'stopped' });
    } catch (error) {
      await record.fail(error);
      throw error;
    } finally {
      trainer.dispose();
    }
  }

  private async discard(record: RunRecorder): Promise<RunSummary> {
    const { runs, adapters } = this.parts;
    const { id, adapterId } = record.run;
    await runs.delete(id);
    if (adapterId) await adapters.delete(adapterId);
    return { ...record.run, status: 'stopped', adapterId: undefined };
  }

  private async gate(current: Current, record: RunRecorder, step: number): Promise<void> {
    if (!current.paused) return;
    current.emit({ kind: 'paused', step });
    await record.save({ status: 'paused' });
    await current.paused.wait;
    if (current.stop.signal.aborted) return;
    await record.save({ status: 'running' });
    current.emit({ kind: 'resumed', step });
  }

  private async rowsFor(request: TrainRequest) {
    const { datasets } = this.parts;
    const rows = await datasets.rows(request.datasetId);
    if (request.evalDatasetId)
      return { trainRows: rows, evalRows: await datasets.rows(request.evalDatasetId) };
    if (request.evalShare === 0) return { trainRows: rows, evalRows: [] as DatasetRow[] };
    const { train, evaluation } = splitRows(rows, {
      evalShare: request.evalShare,
      seed: request.training.seed,
    });
    return { trainRows: train, evalRows: evaluation };
  }

  private async saveAdapter(run: RunSummary, { values }: Checkpoint, baseName: string) {
    const { adapters } = this.parts;
    const model = await this.parts.open(run.modelId, new AbortController());
    const layout = layoutLora(linearSites(model.folder.config), run.lora);
    const files = writeAdapter(run.lora, layout, values, baseName);
    const summary: AdapterSummary = {
      id: adapterIdOf(run),
      name: run.name,
      modelId: run.modelId,
      origin: 'trained',
      lora: run.lora,
      sizeBytes: files.weights.byteLength,
      createdAt: run.createdAt,
      runId: run.id,
    };
    await adapters.save(summary, files);
    model.forgetAdapter(summary.id);
  }
}

/** A resumed run goes on with the rows and settings that it began with, whatever the page remembers. */
const settingsOf = ({
  modelId,
  datasetId,
  evalShare,
  evalDatasetId,
  lora,
  training,
}: RunSummary) => ({
  modelId,
  datasetId,
  evalShare,
  evalDatasetId,
  lora,
  training,
});

const adapterIdOf = (run: RunSummary) => run.id.replace(/^run-/, 'adapter-');

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
