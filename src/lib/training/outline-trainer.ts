/**
 * A run's trainer on a device that only counts: what it allocates and which kernels it needs are known before
 * anything of either is made, and cannot drift from what a run does.
 */
import type { ModelConfig, PeftConfig, TrainingArguments } from '../config';
import { adaptedModel, ModelWeights } from '../decoder';
import { Gpu, type CountedLimits, type DType } from '../gpu';
import { attentionVariantOf, setAttentionVariant } from '../kernels/attention-variant';
import { MATMUL_FORMS, matmulVariantOf, setMatmulVariant } from '../kernels/matmul-variant';
import { layoutAdapter } from '../peft';
import { longestRow, type TokenRow } from './batches';
import { packRows } from './packing';
import { Trainer } from './trainer';

/** What memory and kernels depend on, of a run's rows. */
export interface RowsShape {
  readonly count: number;
  /** Tokens of the longest, after the cut at `max_length`. */
  readonly longest: number;
}

export const rowsShape = (rows: readonly TokenRow[]): RowsShape => ({
  count: rows.length,
  longest: longestRow(rows),
});

/** Of the rows that a run makes its batches of. @param allowed tokens that a packed row may have */
export function trainedShape(
  rows: readonly TokenRow[],
  { packing }: Pick<TrainingArguments, 'packing'>,
  allowed: number,
): RowsShape {
  return rowsShape(packing ? packRows(rows, Math.max(longestRow(rows), allowed)) : rows);
}

export interface OutlineOptions {
  config: ModelConfig;
  peft: PeftConfig;
  args: TrainingArguments;
  /** Rows to train on, put together where they are packed (`trainedShape`). */
  trained: RowsShape;
  /** Rows that are held back; none when left out. */
  evaluated?: RowsShape;
  /** How each weight lies in GPU memory; f32 when left out. */
  dtypeOf?: (name: string) => DType;
  /** The device that the run is for: its limits are held and kernels chosen as on it. */
  gpu?: Gpu;
  /** In place of the device's own. */
  limits?: CountedLimits;
}

export interface Outline {
  /** Counts, and names the kernels of the run. */
  readonly gpu: Gpu;
  readonly weights: ModelWeights;
  /** Prepared, its largest plan included. */
  readonly trainer: Trainer;
}

/** @throws GpuError `limit` where one buffer would be larger than the device allows; PeftError `no-target` */
export async function outlineTrainer(options: OutlineOptions): Promise<Outline> {
  const { config, peft, args, trained, evaluated, dtypeOf = () => 'f32' } = options;
  const gpu = Gpu.counting(options.gpu, options.limits);
  const real = options.gpu ?? gpu;
  for (const form of MATMUL_FORMS) setMatmulVariant(gpu, matmulVariantOf(real, form), form);
  setAttentionVariant(gpu, attentionVariantOf(real));
  const weights = ModelWeights.outline(gpu, config, dtypeOf, args.load_in_4bit);
  const trainer = await Trainer.create({
    gpu,
    config,
    weights,
    peft,
    args,
    rows: rowsOf(trained, args.per_device_train_batch_size),
    evalRows: evaluated && rowsOf(evaluated, args.per_device_eval_batch_size),
    initialValues: new Float32Array(layoutAdapter(adaptedModel(config), peft).flatCount),
  });
  return { gpu, weights, trainer };
}

/** The largest batch of rows of this shape. */
function rowsOf({ count, longest }: RowsShape, batchSize: number): TokenRow[] {
  const zeros = new Int32Array(longest);
  return new Array<TokenRow>(Math.min(count, batchSize)).fill({ inputIds: zeros, labels: zeros });
}
