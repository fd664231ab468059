/**
 * Plan: the loss of an evaluation is that of a training step before anything has moved, for a method that
 * prepares what batches read and for one that stands before them; a row and a prefix that together are longer
 * than the model reads are refused, as in training.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_TRAINING_ARGUMENTS, readPeftConfig } from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { evaluateLoss, Trainer, type TokenRow } from '$lib/training';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';

const row = (length: number): TokenRow => {
  const ids = Int32Array.from({ length }, (_, t) => (t * 17) % 97);
  return { inputIds: ids, labels: ids };
};

describe('evaluation', () => {
  let gpu: Gpu;
  let golden: Awaited<ReturnType<typeof openGolden>>;
  let weights: ModelWeights;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    golden = await openGolden('llama-tied');
    weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
  });
  afterAll(() => gpu.dispose());

  const create = (settings: Record<string, unknown>, rows: TokenRow[]) =>
    Trainer.create({
      gpu,
      config: golden.config,
      weights,
      peft: readPeftConfig(settings, 'test'),
      args: {
        ...DEFAULT_TRAINING_ARGUMENTS,
        per_device_train_batch_size: rows.length,
        max_steps: 1,
      },
      rows,
    });

  const evaluate = ({ adapter }: Trainer, rows: TokenRow[]) =>
    evaluateLoss({ gpu, config: golden.config, weights, adapter, rows, batchSize: rows.length });

  it.each([
    { use_dora: true, lora_dropout: 0.5 },
    { init_lora_weights: 'pissa' },
    { peft_type: 'IA3' },
    { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 4 },
    { peft_type: 'FULL' },
  ])('%j: has the loss of the first step', async (settings) => {
    const rows = [row(9), row(14)];
    const trainer = await create(settings, rows);
    const { loss, targetCount } = await evaluate(trainer, rows);
    expect(targetCount).toBe(21);
    const losses: number[] = [];
    await trainer.run({ onStep: (report) => losses.push(report.loss) });
    // B of zeros: at the start of DoRA dropout changes only the last bits.
    expect(Math.abs(losses[0] / loss - 1)).toBeLessThan(1e-5);
    expect((await evaluate(trainer, rows)).loss).not.toBe(loss);
    trainer.dispose();
  });

  it('counts the prefix among the positions that a model reads', async () => {
    const longest = golden.config.maxPositionEmbeddings;
    const settings = { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 4 };
    const trainer = await create(settings, [row(longest - 4)]);
    await expect(evaluate(trainer, [row(longest - 3)])).rejects.toMatchObject({ code: 'too-long' });
    await expect(evaluate(trainer, [row(longest - 4)])).resolves.toMatchObject({ rowCount: 1 });
    await expect(create(settings, [row(longest - 3)])).rejects.toMatchObject({ code: 'too-long' });
    trainer.dispose();
    const plain = await create({}, [row(longest)]);
    await expect(evaluate(plain, [row(longest)])).resolves.toMatchObject({ rowCount: 1 });
    plain.dispose();
  });
});
