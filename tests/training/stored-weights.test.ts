/**
 * Base weights in the 16 bits of their file against the same in float32: half the memory, and the same
 * values, so the same run. Plan: the bundled model (f16) and a bf16 checkpoint; losses, gradient norms and
 * trained parameters; another seed as the control.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_TRAINING_ARGUMENTS, readLoraConfig, type TrainingArguments } from '$lib/config';
import { ModelWeights, type WeightStorage } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { Trainer, type TokenRow } from '$lib/training';
import { openModelFolder } from '../../src/cli/model-folder';
import { requestTestGpu } from '../dawn';
import { goldenPath, relativeL2 } from '../goldens';

const NANO = fileURLToPath(new URL('../../models/nano-lm', import.meta.url));

const ROWS: TokenRow[] = Array.from({ length: 12 }, (_, i) => {
  const ids = Int32Array.from({ length: 20 + ((i * 7) % 13) }, (_, t) => (i * 31 + t * 17) % 97);
  return { inputIds: ids, labels: ids };
});

const ARGS: TrainingArguments = {
  ...DEFAULT_TRAINING_ARGUMENTS,
  learning_rate: 2e-3,
  per_device_train_batch_size: 4,
  gradient_accumulation_steps: 1,
  max_steps: 6,
  save_strategy: 'no',
};

/** The values are the same and so are the sums: nought on the drivers that we have. */
const SAME = 1e-6;

const LORA = readLoraConfig({ r: 4, lora_alpha: 8, target_modules: 'all-linear' }, 'test');

describe('weights as they are stored', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const train = async (folder: string, storage: WeightStorage, seed = 42) => {
    const { config, checkpoint } = await openModelFolder(folder);
    const weights = await ModelWeights.upload(gpu, config, checkpoint.source, { storage });
    const { gpuBytes } = weights;
    const args = { ...ARGS, seed };
    const trainer = await Trainer.create({ gpu, config, weights, peft: LORA, args, rows: ROWS });
    const log: number[] = [];
    await trainer.run({ onStep: ({ loss, grad_norm }) => log.push(loss, grad_norm) });
    const { values } = await trainer.checkpoint();
    trainer.dispose();
    weights.dispose();
    return { gpuBytes, log, values };
  };

  it.each([
    ['the bundled model, f16', NANO],
    ['a bf16 checkpoint', goldenPath('models/llama-bf16')],
  ])('%s: half the memory, the same run', async (_name, folder) => {
    const baseline = gpu.liveBytes;
    const floats = await train(folder, 'f32');
    const stored = await train(folder, 'stored');
    expect(stored.gpuBytes).toBe(floats.gpuBytes / 2);
    expect(relativeL2(stored.log, floats.log)).toBeLessThan(SAME);
    expect(relativeL2(stored.values, floats.values)).toBeLessThan(SAME);
    expect(gpu.liveBytes).toBe(baseline);
    const other = await train(folder, 'stored', 43);
    expect(relativeL2(other.values, floats.values)).toBeGreaterThan(1e-3);
  });
});
