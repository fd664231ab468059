/**
 * Compiles the kernels of a run while its person still chooses the data: a software GPU takes seconds for it. Allocates
 * nothing for the run.
 */
import {
  evaluatesItself,
  type ModelConfig,
  type PeftConfig,
  type TrainingArguments,
} from '../config';
import { NO_LIMITS, type DType, type Gpu } from '../gpu';
import { chooseVariants } from '../kernels/choose-variants';
import { outlineTrainer } from './outline-trainer';

/** Tokens of a row in place of the data's, likeliest first: products of small and large batches take other kernels. */
const TYPICAL_TOKENS = [64, 24, 160];

export interface CompileAheadOptions {
  gpu: Gpu;
  config: ModelConfig;
  peft: PeftConfig;
  args: TrainingArguments;
  /** How each weight lies in GPU memory. */
  dtypeOf: (name: string) => DType;
}

/** @throws GpuError `shader`, `device-lost`; TrainingError or PeftError for settings that no run can have */
export async function compileAhead({ gpu, ...settings }: CompileAheadOptions): Promise<void> {
  await chooseVariants(gpu);
  const { args, config } = settings;
  const allowed = Math.min(args.max_length, config.maxPositionEmbeddings);
  const lengths = new Set(TYPICAL_TOKENS.map((tokens) => Math.min(allowed, tokens)));
  const compiling: Promise<unknown>[] = [];
  for (const longest of lengths) {
    const outline = await outlineTrainer({
      ...settings,
      gpu,
      limits: NO_LIMITS,
      trained: { count: args.per_device_train_batch_size, longest },
      evaluated: evaluatesItself(args)
        ? { count: args.per_device_eval_batch_size, longest }
        : undefined,
    });
    compiling.push(...outline.gpu.kernels.map((kernel) => gpu.compile(kernel)));
  }
  await Promise.all(compiling);
}
