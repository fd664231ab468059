/** Layers that are computed again in backward: the same bits for less memory. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DEFAULT_TRAINING_ARGUMENTS,
  readLoraConfig,
  readPeftConfig,
  type JsonObject,
  type ModelConfig,
} from '$lib/config';
import { adaptedModel, type ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { AdapterState, initAdapter, layoutAdapter } from '$lib/peft';
import { Trainer, type TokenRow } from '$lib/training';
import { StepPlans } from '$lib/training/step-plans';
import { requestTestGpu } from '../dawn';
import { deepConfig, randomWeights } from './deep-model';

const ROWS: TokenRow[] = Array.from({ length: 6 }, (_, i) => {
  const inputIds = Int32Array.from({ length: 9 + 5 * i }, (_, t) => (i * 31 + t * 17) % 96);
  return { inputIds, labels: inputIds };
});

describe('gradient_checkpointing', () => {
  let gpu: Gpu;
  let config: ModelConfig;
  let weights: ModelWeights;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    config = deepConfig(12);
    weights = await randomWeights(gpu, config);
  });
  afterAll(() => gpu.dispose());

  const trained = async (gradient_checkpointing: boolean, peft: JsonObject) => {
    const args = {
      ...DEFAULT_TRAINING_ARGUMENTS,
      learning_rate: 0.01,
      per_device_train_batch_size: 2,
      max_steps: 3,
      gradient_checkpointing,
    };
    const trainer = await Trainer.create({
      gpu,
      config,
      weights,
      peft: readPeftConfig(peft, 'test'),
      args,
      rows: ROWS,
    });
    const norms: number[] = [];
    await trainer.run({ onStep: ({ grad_norm }) => norms.push(grad_norm) });
    const { values, moments } = await trainer.checkpoint();
    trainer.dispose();
    return { norms, values, ...moments };
  };

  it.each([
    ['with dropout, all layers', { target_modules: 'all-linear', lora_dropout: 0.3 }],
    ['without dropout, two modules', { target_modules: ['v_proj', 'down_proj'] }],
    ['DoRA', { use_dora: true, lora_dropout: 0.1 }],
    [
      'IA3',
      {
        peft_type: 'IA3',
        target_modules: ['k_proj', 'down_proj'],
        feedforward_modules: ['down_proj'],
      },
    ],
    ['prefix tuning', { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 5 }],
    ['full tuning', { peft_type: 'FULL' }],
  ])('ends in the same bits: %s', async (_title, peft) => {
    expect(await trained(true, peft)).toEqual(await trained(false, peft));
  });

  it('takes less than a third of the memory of a deep model', async () => {
    const lora = readLoraConfig({ target_modules: 'all-linear' }, 'test');
    const layout = layoutAdapter(adaptedModel(config), lora);
    const values = await initAdapter(layout, lora, 1, (name) => weights.readFloats(name));
    const adapter = new AdapterState(gpu, layout, lora, values, { trainable: true });
    const bytesWith = async (gradientCheckpointing: boolean) => {
      const shared = { gpu, config, weights, adapter, maxLength: 128, training: true };
      const plans = new StepPlans({ ...shared, gradientCheckpointing });
      await plans.planFor({ B: 4, T: 128 });
      const bytes = plans.gpuBytes;
      plans.dispose();
      return bytes;
    };
    const kept = await bytesWith(false);
    const recomputed = await bytesWith(true);
    adapter.dispose();
    expect(recomputed).toBeLessThan(0.3 * kept);
  });
});
