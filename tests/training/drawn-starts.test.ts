/**
 * Plan: a run from each start that is drawn. Where B or B A is zero the first step's loss is the base's own; from
 * random factors it is another, and each learns.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  DEFAULT_TRAINING_ARGUMENTS,
  readPeftConfig,
  type InitLoraWeights,
  type TrainingArguments,
} from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { Trainer } from '$lib/training';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { RAGGED_ROWS as rows } from './rows';

const args: TrainingArguments = {
  ...DEFAULT_TRAINING_ARGUMENTS,
  learning_rate: 0.01,
  per_device_train_batch_size: rows.length,
  max_steps: 8,
  save_strategy: 'no',
};

let gpu: Gpu;
let golden: Awaited<ReturnType<typeof openGolden>>;
let weights: ModelWeights;
beforeAll(async () => {
  gpu = await requestTestGpu();
  golden = await openGolden('qwen2');
  weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
});
afterAll(() => gpu.dispose());

/** Of each step. */
async function losses(init_lora_weights: InitLoraWeights, use_dora: boolean): Promise<number[]> {
  const peft = readPeftConfig({ r: 4, init_lora_weights, use_dora }, 'test');
  const { config } = golden;
  const trainer = await Trainer.create({ gpu, config, weights, peft, args, rows });
  const found: number[] = [];
  await trainer.run({ onStep: ({ loss }) => void found.push(loss) });
  trainer.dispose();
  return found;
}

it.each([
  ['LoRA', false],
  ['DoRA', true],
])('%s begins as the base answers, but from random factors, and learns', async (_, use_dora) => {
  const [base] = await losses(true, use_dora);
  for (const start of ['gaussian', 'orthogonal', false] as const) {
    const found = await losses(start, use_dora);
    const difference = Math.abs(found[0] / base - 1);
    if (start === false) expect(difference).toBeGreaterThan(1e-4);
    // What is left of B A is rounding.
    else expect(difference, start).toBeLessThan(start === 'gaussian' ? 1e-7 : 1e-6);
    expect(found).toHaveLength(8);
    expect(found[7], String(start)).toBeLessThan(0.98 * found[0]);
  }
});
