/** GPU memory that a run will take, told to the byte before anything is allocated. */
import { outlineTrainer, type OutlineOptions } from './outline-trainer';

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

/**
 * What is live when a run has been prepared, its largest plan included.
 * @throws GpuError `limit` where one buffer would be larger than the device allows; PeftError `no-target`
 */
export async function predictMemory(options: OutlineOptions): Promise<RunMemory> {
  const { gpu, weights, trainer } = await outlineTrainer(options);
  const total = gpu.liveBytes;
  const parts = { weights: weights.gpuBytes, ...trainer.memory };
  const { adapter, optimizer, activations } = parts;
  return { ...parts, inputs: total - parts.weights - adapter - optimizer - activations, total };
}
