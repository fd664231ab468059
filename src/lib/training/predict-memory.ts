/**
 * GPU memory that a run will take, told before anything is allocated: the trainer itself is made on a
 * device that only counts, so the prediction cannot drift from what a run does.
 */
import type { ModelConfig, PeftConfig, TrainingArguments } from '../config';
import { adaptedModel, ModelWeights } from '../decoder';
import { Gpu, type CountedLimits, type DType } from '../gpu';
import { matmulVariantOf, setMatmulVariant } from '../kernels/matmul-variant';
import { layoutAdapter } from '../peft';
import { Trainer } from './trainer';

/** Bytes. */
export interface RunMemory {
  readonly weights: number;
  /** The parameters that are trained. */
  readonly adapter: number;
  /** Their gradients and both moments. */
  readonly optimizer: number;
  /** What forward keeps for backward, for the largest batch. */
  readonly activations: number;
  /** Tokens, tables, and the sizes that kernels read. */
  readonly inputs: number;
  readonly total: number;
}

export interface PredictMemoryOptions {
  config: ModelConfig;
  peft: PeftConfig;
  args: TrainingArguments;
  rowCount: number;
  /** Tokens of the longest row, after the cut at `max_length`. */
  longestRow: number;
  /** How each weight lies in GPU memory; f32 when left out. */
  dtypeOf?: (name: string) => DType;
  /** The device that the run is for: its limits are held and kernels chosen as on it. */
  gpu?: Gpu;
  /** In place of the device's own. */
  limits?: CountedLimits;
}

/**
 * What is live when a run has been prepared, its largest plan included.
 * @throws GpuError `limit` where one buffer would be larger than the device allows; PeftError `no-target`
 */
export async function predictMemory(options: PredictMemoryOptions): Promise<RunMemory> {
  const { config, peft, args, rowCount, longestRow, dtypeOf = () => 'f32' } = options;
  const gpu = Gpu.counting(options.gpu, options.limits);
  setMatmulVariant(gpu, matmulVariantOf(options.gpu ?? gpu));
  const weights = ModelWeights.outline(gpu, config, dtypeOf, args.load_in_4bit);
  const zeros = new Int32Array(longestRow);
  const row = { inputIds: zeros, labels: zeros };
  const batchSize = Math.min(rowCount, args.per_device_train_batch_size);
  const trainer = await Trainer.create({
    gpu,
    config,
    weights,
    peft,
    args,
    rows: new Array<typeof row>(batchSize).fill(row),
    initialValues: new Float32Array(layoutAdapter(adaptedModel(config), peft).flatCount),
  });
  const total = gpu.liveBytes;
  const parts = { weights: weights.gpuBytes, ...trainer.memory };
  const { adapter, optimizer, activations } = parts;
  return { ...parts, inputs: total - parts.weights - adapter - optimizer - activations, total };
}
