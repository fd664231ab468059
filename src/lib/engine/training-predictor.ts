/** Tells what a run will take before it starts, and what to change in one that did not fit. */
import { adaptedModel } from '../decoder';
import { GpuError, NO_LIMITS } from '../gpu';
import type { CallContext } from '../rpc/protocol';
import type { TrainingPrediction, TrainSettings } from '../rpc/engine-api';
import {
  predictMemory,
  predictStorage,
  rowsShape,
  runShape,
  suggestFit,
  trainedShape,
  writeFitChange,
  type PredictMemoryOptions,
  type RowsShape,
} from '../training';
import type { AdapterLibrary } from './adapter-library';
import type { EngineContext } from './context';
import type { DatasetLibrary } from './dataset-library';
import { encodeDataset } from './encode-dataset';
import type { LoadedModel } from './open-model';
import { rowsOfRun } from './run-rows';

interface RowSizes {
  readonly trainRows: number;
  readonly cutRows: number;
  readonly longestRow: number;
  /** As the run's batches have them. */
  readonly trained: RowsShape;
  readonly evaluated: RowsShape;
}

export interface PredictorParts {
  readonly context: EngineContext;
  readonly datasets: DatasetLibrary;
  readonly adapters: AdapterLibrary;
  readonly open: (modelId: string, context: Pick<CallContext, 'signal'>) => Promise<LoadedModel>;
}

export class TrainingPredictor {
  /** Of the last request: most changes of a recipe leave the rows as they are. */
  private known: { key: string; sizes: Promise<RowSizes> } | undefined;

  constructor(private readonly parts: PredictorParts) {}

  /** @throws EngineError `no-training`; TrainingError where no row can be learned from */
  async predict(
    request: TrainSettings,
    call: Pick<CallContext, 'signal'>,
  ): Promise<TrainingPrediction> {
    const gpu = await this.parts.context.device.requireGpu();
    const model = await this.parts.open(request.modelId, call);
    const { config } = model.folder;
    const { trained, evaluated, ...sizes } = await this.sizesOf(request, model);
    const { initAdapterId, training: args } = request;
    const start =
      initAdapterId === undefined ? request : await this.parts.adapters.get(initAdapterId);
    const { peft } = start;
    const options: PredictMemoryOptions = {
      ...{ config, peft, args, gpu },
      ...{ trained, evaluated },
      dtypeOf: model.trainedDtype,
    };
    const shape = runShape(trained.count, args);
    return {
      ...(await memoryOf(options)),
      totalSteps: shape.totalSteps,
      storageBytes: predictStorage(peft, adaptedModel(config), args, shape),
      ...sizes,
    };
  }

  private sizesOf(request: TrainSettings, model: LoadedModel): Promise<RowSizes> {
    const { datasetId, evalShare, evalDatasetId, leaveOut, training } = request;
    const { max_length, train_on_prompt, seed, packing } = training;
    const key = JSON.stringify([
      ...[model.summary.id, datasetId, evalShare, evalDatasetId, leaveOut],
      ...[max_length, train_on_prompt, seed, packing],
    ]);
    if (this.known?.key === key) return this.known.sizes;
    const sizes = this.measure(request, model);
    this.known = { key, sizes };
    // Data that could not be read may be there the next time.
    sizes.catch(() => (this.known = undefined));
    return sizes;
  }

  private async measure(request: TrainSettings, model: LoadedModel): Promise<RowSizes> {
    const { config, tokenizer } = model.folder;
    const { trainRows, evalRows } = await rowsOfRun(this.parts.datasets, request);
    const encoding = {
      maxLength: Math.min(request.training.max_length, config.maxPositionEmbeddings),
      trainOnPrompt: request.training.train_on_prompt,
    };
    const { rows, cutRows } = encodeDataset(trainRows, tokenizer, {
      ...encoding,
      leaveOutCut: request.leaveOut?.includes('cut'),
    });
    const held = evalRows.length > 0 ? encodeDataset(evalRows, tokenizer, encoding).rows : [];
    return {
      trainRows: rows.length,
      cutRows,
      longestRow: rowsShape(rows).longest,
      trained: trainedShape(rows, request.training, encoding.maxLength),
      evaluated: rowsShape(held),
    };
  }
}

/** The same error with `details.suggestion`, where a change of the settings would make the run fit. */
export async function withSuggestion(
  error: unknown,
  options: PredictMemoryOptions,
): Promise<unknown> {
  // Whatever goes wrong here, the error itself is what must be told.
  const change = await suggestFit(error, options).catch(() => undefined);
  if (!change || !(error instanceof GpuError)) return error;
  const { code, message, retryable, details } = error;
  return new GpuError(code, message, {
    retryable,
    details: { ...details, suggestion: writeFitChange(change) },
    cause: error,
  });
}

async function memoryOf(
  options: PredictMemoryOptions,
): Promise<Pick<TrainingPrediction, 'memory' | 'exceeds'>> {
  try {
    return { memory: await predictMemory(options) };
  } catch (error) {
    if (!(error instanceof GpuError) || error.code !== 'limit') throw error;
    const change = await suggestFit(error, options);
    return {
      memory: await predictMemory({ ...options, limits: NO_LIMITS }),
      exceeds: { message: error.message, suggestion: change && writeFitChange(change) },
    };
  }
}
