/**
 * Tells what a run will take before it starts, and what to change in one that did not fit; compiles for it
 * before there is data.
 */
import type { PeftConfig } from '../config';
import { adaptedModel } from '../decoder';
import { GpuError, NO_LIMITS } from '../gpu';
import type { CallContext } from '../rpc/protocol';
import type {
  Fp16Comparison,
  KernelSettings,
  TimePrediction,
  TrainingPrediction,
  TrainSettings,
} from '../rpc/engine-api';
import {
  allowedAfterFailure,
  compileAhead,
  fitWithin,
  predictMemory,
  predictStorage,
  RESUME_POINT_MS,
  rowsShape,
  runLoad,
  runShape,
  runTime,
  stepsBetweenSaves,
  suggestFit,
  trainedShape,
  writeFitChange,
  type FitOptions,
  type MeasureOptions,
  type RunMemory,
  type RowsShape,
  type TokenRow,
} from '../training';
import type { AdapterLibrary } from './adapter-library';
import { compareFp16 } from './compare-fp16';
import type { EngineContext } from './context';
import type { DatasetLibrary } from './dataset-library';
import { encodeDataset, type EncodedDataset } from './encode-dataset';
import type { KnownModel } from './known-model';
import type { KnownMemory, MemoryExperience } from './memory-experience';
import type { LoadedModel } from './open-model';
import { rowsOfRun } from './run-rows';
import type { TimeMeter } from './time-meter';

interface RunRows extends EncodedDataset {
  readonly heldBack: readonly TokenRow[];
  readonly longestRow: number;
  /** Tokens that a row may have. */
  readonly allowed: number;
  /** As the run's batches have them. */
  readonly trained: RowsShape;
  readonly evaluated: RowsShape;
}

export interface PredictorParts {
  readonly context: EngineContext;
  readonly datasets: DatasetLibrary;
  readonly adapters: AdapterLibrary;
  readonly open: (modelId: string, context: Pick<CallContext, 'signal'>) => Promise<LoadedModel>;
  readonly know: (modelId: string, context: Pick<CallContext, 'signal'>) => Promise<KnownModel>;
  readonly meter: TimeMeter;
  readonly experience: MemoryExperience;
  readonly isTraining: () => boolean;
}

export class TrainingPredictor {
  /** Of the last request: most changes of a recipe leave the rows as they are. */
  private known: { key: string; rows: Promise<RunRows>; stop: AbortController } | undefined;

  constructor(private readonly parts: PredictorParts) {}

  /** @throws EngineError `no-training`; TrainingError where no row can be learned from */
  async predict(
    request: TrainSettings,
    call: Pick<CallContext, 'signal'>,
  ): Promise<TrainingPrediction> {
    const gpu = await this.parts.context.device.requireGpu();
    const model = await this.parts.know(request.modelId, call);
    const { config } = model.folder;
    const found = await this.rowsOf(request, model);
    const { trained, evaluated, cutRows, splitTexts, longestRow } = found;
    const { training: args } = request;
    const peft = await this.peftOf(request);
    const options: FitOptions = {
      ...{ config, peft, args, gpu, hasGivenAdapter: request.initAdapterId !== undefined },
      ...{ trained, evaluated },
      dtypeOf: model.trainedDtype,
    };
    const shape = runShape(trained.count, args);
    return {
      ...(await memoryOf(options, await this.parts.experience.of(gpu))),
      totalSteps: shape.totalSteps,
      storage: predictStorage(peft, adaptedModel(config), args, shape),
      trainRows: found.rowCount,
      ...{ cutRows, splitTexts, longestRow },
    };
  }

  /** @throws EngineError `no-training`; TrainingError where no row can be learned from; AbortError */
  async predictTime(
    request: TrainSettings,
    call: Pick<CallContext, 'signal'>,
  ): Promise<TimePrediction | undefined> {
    const asked = await this.measurable(request, call);
    if (!asked) return undefined;
    const { modelId, options, trained } = asked;
    const rates = await this.parts.meter.rates(modelId, options);
    if (!rates) return undefined;
    const time = runTime(options.load, rates);
    const steps = stepsBetweenSaves(options.args, runShape(trained.count, options.args));
    return { ...time, savedBetween: 1000 * steps * time.secondsPerStep > RESUME_POINT_MS };
  }

  /** @throws EngineError `no-training`; TrainingError where no row can be learned from; AbortError */
  async compareFp16(
    request: TrainSettings,
    call: Pick<CallContext, 'signal'>,
  ): Promise<Fp16Comparison | undefined> {
    const asked = await this.measurable(request, call);
    return asked && compareFp16(this.parts.meter, asked.modelId, asked.options);
  }

  /** @throws EngineError `no-training`; AbortError */
  async compile(request: KernelSettings, call: Pick<CallContext, 'signal'>): Promise<void> {
    const { know, isTraining } = this.parts;
    if (isTraining()) return;
    const gpu = await this.parts.context.device.requireGpu();
    const peft = await this.peftOf(request);
    const { folder, trainedDtype: dtypeOf } = await know(request.modelId, call);
    const { config } = folder;
    await compileAhead({ gpu, config, peft, args: request.training, dtypeOf });
  }

  /** What the meter is asked for a run; undefined while another is going on. */
  private async measurable(
    request: TrainSettings,
    call: Pick<CallContext, 'signal'>,
  ): Promise<{ modelId: string; options: MeasureOptions; trained: RowsShape } | undefined> {
    const { context, open, isTraining } = this.parts;
    if (isTraining()) return undefined;
    const gpu = await context.device.requireGpu();
    const { training: args } = request;
    const peft = await this.peftOf(request);
    // A base in 4 bits takes as long to within a few per cent: none is made for this.
    const model = await open(request.modelId, call);
    const { rows, heldBack, allowed, trained } = await this.rowsOf(request, model);
    const load = runLoad(rows, heldBack, args, allowed);
    if (isTraining()) return undefined;
    const { config } = model.folder;
    const { weights } = model;
    const options = { gpu, config, weights, peft, args, load, signal: call.signal };
    return { modelId: model.summary.id, options, trained };
  }

  /** Of the adapter that the run would start from, where there is one. */
  private async peftOf({ initAdapterId, peft }: KernelSettings): Promise<PeftConfig> {
    return initAdapterId === undefined ? peft : (await this.parts.adapters.get(initAdapterId)).peft;
  }

  private rowsOf(request: TrainSettings, model: KnownModel): Promise<RunRows> {
    const { datasetId, evalShare, evalDatasetId, leaveOut, training } = request;
    const { max_length, train_on_prompt, split_long_text, seed, packing } = training;
    const key = JSON.stringify([
      ...[model.summary.id, datasetId, evalShare, evalDatasetId, leaveOut],
      ...[max_length, train_on_prompt, split_long_text, seed, packing],
    ]);
    if (this.known?.key === key) return this.known.rows;
    this.known?.stop.abort();
    const stop = new AbortController();
    const rows = this.encode(request, model, stop.signal);
    const known = { key, rows, stop };
    this.known = known;
    // Data that could not be read may be there the next time.
    rows.catch(() => {
      if (this.known === known) this.known = undefined;
    });
    return rows;
  }

  private async encode(
    request: TrainSettings,
    model: KnownModel,
    signal: AbortSignal,
  ): Promise<RunRows> {
    const { config, tokenizer } = model.folder;
    const { trainRows, evalRows } = await rowsOfRun(this.parts.datasets, request);
    const encoding = {
      maxLength: Math.min(request.training.max_length, config.maxPositionEmbeddings),
      trainOnPrompt: request.training.train_on_prompt,
      splitLongText: request.training.split_long_text,
      signal,
    };
    const encoded = await encodeDataset(trainRows, tokenizer, {
      ...encoding,
      leaveOutCut: request.leaveOut?.includes('cut'),
    });
    const heldBack =
      evalRows.length > 0 ? (await encodeDataset(evalRows, tokenizer, encoding)).rows : [];
    const { rows } = encoded;
    return {
      ...encoded,
      heldBack,
      longestRow: rowsShape(rows).longest,
      allowed: encoding.maxLength,
      trained: trainedShape(rows, request.training, encoding.maxLength),
      evaluated: rowsShape(heldBack),
    };
  }
}

async function memoryOf(
  options: FitOptions,
  known: KnownMemory,
): Promise<Pick<TrainingPrediction, 'memory' | 'exceeds' | 'shortage'>> {
  try {
    const memory = await predictMemory(options);
    return { memory, shortage: await shortageOf(memory, options, known) };
  } catch (error) {
    if (!(error instanceof GpuError) || error.code !== 'limit') throw error;
    const change = await suggestFit(error, options);
    return {
      memory: await predictMemory({ ...options, limits: NO_LIMITS }),
      exceeds: { message: error.message, suggestion: change && writeFitChange(change) },
    };
  }
}

/** What has worked here works again; short of that, a change is taken to fit as after a failure. */
async function shortageOf(
  { weights, total }: RunMemory,
  options: FitOptions,
  { failedBytes, workedBytes }: KnownMemory,
): Promise<TrainingPrediction['shortage']> {
  if (failedBytes === undefined || total < failedBytes) return undefined;
  const allowed = allowedAfterFailure({ weights, total: failedBytes });
  const fit = await fitWithin(Math.max(workedBytes ?? 0, allowed), options);
  return {
    failedBytes,
    ...(fit && { suggestion: writeFitChange(fit.change), suggestedBytes: fit.totalBytes }),
  };
}
