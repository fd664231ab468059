/** GPU memory of a run that really has all its buffers, against what `predictMemory` told before. */
import type { Gpu } from '$lib/gpu';
import type { WeightStorage } from '$lib/decoder';
import { predictMemory, type RunMemory } from '$lib/training';
import type { GpuWatch } from './gpu-watch';
import type { LoraProblem } from './lora-problem';
import { prepareTrainer } from './ours';

export interface MemoryFigures {
  readonly predicted: RunMemory;
  /** The most that lived at once from the upload of the weights on. */
  readonly peakBytes: number;
  /** Of the one step that was run. */
  readonly stepMs: number;
}

export async function measureMemory(
  gpu: Gpu,
  watch: GpuWatch,
  problem: LoraProblem,
  storage: Exclude<WeightStorage, 'nf4'>,
): Promise<MemoryFigures> {
  const { model, loraConfig, training, batches, config } = problem;
  const predicted = await predictMemory({
    config: model,
    peft: loraConfig,
    args: training,
    trained: { count: batches.length * config.B, longest: config.T },
    dtypeOf: () => (storage === 'f32' ? 'f32' : 'bf16'),
    gpu,
  });
  const { result, peakBytes } = await watch.highWater(async () => {
    const stepper = await prepareTrainer(gpu, problem, storage);
    const start = performance.now();
    await stepper.step(batches[0]);
    return { stepper, stepMs: performance.now() - start };
  });
  await result.stepper.dispose();
  return { predicted, peakBytes, stepMs: result.stepMs };
}
