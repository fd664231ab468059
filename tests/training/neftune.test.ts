/** Noise on the embeddings in a run: whose width the Trainer's own padding decides, and in training alone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLoraConfig, type TrainingArguments } from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { uniformNoiseValues } from '$lib/kernels/noise';
import { Trainer } from '$lib/training';
import { paddedLength } from '$lib/training/batches';
import { embeddingNoiseScale, microBatchSeed } from '$lib/training/draws';
import { requestTestGpu } from '../dawn';
import { onePass } from '../decoder/one-pass';
import { openGolden } from '../goldens';
import { arguments_, makeRows } from './stored-run';

describe('neftune_noise_alpha', () => {
  let gpu: Gpu;
  let golden: Awaited<ReturnType<typeof openGolden>>;
  let weights: ModelWeights;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    golden = await openGolden('llama-tied');
    weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
  });
  afterAll(() => gpu.dispose());

  const rows = makeRows(4);
  const create = (changes: Partial<TrainingArguments>) =>
    Trainer.create({
      ...{ gpu, config: golden.config, weights, rows, evalRows: makeRows(3, 2) },
      peft: readLoraConfig({}, 'test'),
      args: arguments_({
        ...{ shuffle: false, per_device_train_batch_size: 2, max_steps: 1 },
        ...changes,
      }),
    });

  it('is alpha / sqrt(T C), T being the longest row of the micro-batch', async () => {
    const C = golden.config.hiddenSize;
    const batches = [rows.slice(0, 2), rows.slice(2)];
    const longest = batches.map((batch) => Math.max(...batch.map((row) => row.inputIds.length)));
    expect(longest[0]).not.toBe(longest[1]);
    for (const batch of batches) expect(paddedLength(batch)).toBe(16);

    const trainer = await create({ neftune_noise_alpha: 5 });
    let sum = 0;
    let count = 0;
    for (const [index, batch] of batches.entries()) {
      const scale = 5 / Math.sqrt(longest[index] * C);
      expect(embeddingNoiseScale({ neftune_noise_alpha: 5 }, longest[index], C)).toBe(scale);
      const seed = microBatchSeed(42, 0, index);
      const embeddingNoise = uniformNoiseValues(seed, 2 * 16 * C, scale);
      const model = { config: golden.config, weights, adapter: trainer.adapter };
      const targets = batch.flatMap(({ labels }) =>
        Array.from(labels.subarray(1)).filter((label) => label !== -100),
      ).length;
      sum += targets * (await onePass(gpu, model, batch, { embeddingNoise })).loss;
      count += targets;
    }
    let found = 0;
    await trainer.run({ onStep: ({ loss }) => (found = loss) });
    trainer.dispose();
    expect(Math.abs(found - sum / count)).toBeLessThan(1e-6);
    const plain = await create({});
    await plain.run({ onStep: ({ loss }) => (found = loss) });
    plain.dispose();
    expect(Math.abs(found - sum / count)).toBeGreaterThan(1e-4);
  });

  it('is not in evaluations', async () => {
    const evaluated = async (neftune_noise_alpha: number | null) => {
      const trainer = await create({ neftune_noise_alpha, eval_on_start: true });
      const losses: number[] = [];
      await trainer.run({ onEvaluate: ({ eval_loss }) => losses.push(eval_loss) });
      trainer.dispose();
      return losses;
    };
    expect(await evaluated(50)).toEqual(await evaluated(null));
  });
});
