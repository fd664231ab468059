/**
 * optim adamw_8bit in a run: which parameters have 8-bit moments, what they save, that the run learns all the
 * same, and that it goes on from its files in the same bits.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DEFAULT_TRAINING_ARGUMENTS,
  FULL_TUNING,
  readLoraConfig,
  type ModelConfig,
  type TrainingArguments,
} from '$lib/config';
import { adaptedModel, ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { layoutAdapter } from '$lib/peft';
import {
  readCheckpoint,
  Trainer,
  writeCheckpoint,
  type Checkpoint,
  type StepReport,
} from '$lib/training';
import { planMoments } from '$lib/training/moments-8bit';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { deepConfig, randomWeights } from './deep-model';
import { arguments_, makeRows, storedRun } from './stored-run';

/** A and B of q_proj have 4096 elements, B of v_proj half as many. */
const LORA = readLoraConfig(
  { r: 32, lora_alpha: 32, target_modules: ['q_proj', 'v_proj'] },
  'test',
);
const WIDE = { hidden_size: 128, head_dim: 32, num_attention_heads: 4, num_key_value_heads: 2 };

describe('8-bit moments', () => {
  let gpu: Gpu;
  let config: ModelConfig;
  let weights: ModelWeights;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    config = deepConfig(2, WIDE);
    weights = await randomWeights(gpu, config);
  });
  afterAll(() => gpu.dispose());

  it('are those of parameters of 4096 elements and more, in blocks of their own', () => {
    const layout = layoutAdapter(adaptedModel(config), LORA);
    const { groups, blocks, smallCount } = planMoments(layout);
    const large = layout.parameters.filter(({ count }) => count >= 4096);
    const small = layout.parameters.filter(({ count }) => count < 4096);
    expect([large.length, small.length]).toEqual([6, 2]);
    expect(blocks).toHaveLength(6 * 16);
    for (const { offset, count } of blocks) {
      const owner = large.find((one) => offset >= one.offset && offset < one.offset + one.count)!;
      expect(offset + count).toBeLessThanOrEqual(owner.offset + owner.count);
    }
    expect(smallCount).toBe(2 * 2048);
    const runs = groups.flatMap((group) => group.small);
    expect(runs.map(({ offset }) => offset)).toEqual(small.map(({ offset }) => offset));
    expect(runs.map(({ momentOffset }) => momentOffset)).toEqual([0, 2048]);
    expect(groups.map(({ group }) => group)).toEqual(layout.groups);
  });

  it('leave out embeddings, and all of a small model', () => {
    const full = planMoments(layoutAdapter(adaptedModel(config), FULL_TUNING));
    const table = config.vocabSize * config.hiddenSize;
    expect(table).toBeGreaterThan(4096);
    const norms = (2 * config.layerCount + 1) * config.hiddenSize;
    expect(full.smallCount).toBe(table + norms);
    const small = layoutAdapter(adaptedModel(config), readLoraConfig({ r: 2 }, 'test'));
    expect(planMoments(small)).toMatchObject({ blocks: [], smallCount: small.flatCount });
  });

  const create = (changes: Partial<TrainingArguments>, checkpoint?: Checkpoint) =>
    Trainer.create({
      ...{ gpu, config, weights, peft: LORA, rows: makeRows(12), checkpoint },
      args: {
        ...DEFAULT_TRAINING_ARGUMENTS,
        ...{ learning_rate: 3e-3, weight_decay: 0.1, max_steps: 8, optim: 'adamw_8bit' },
        ...{ per_device_train_batch_size: 4, logging_steps: 1, ...changes },
      },
    });
  const files = async (trainer: Trainer) =>
    writeCheckpoint(await trainer.checkpoint(), LORA, adaptedModel(config), 'base');
  const read = (written: ReturnType<typeof writeCheckpoint>) =>
    readCheckpoint(written, LORA, adaptedModel(config));

  it('learn what those of 32 bits learn, in a quarter of their memory', async () => {
    const run = async (optim: TrainingArguments['optim']) => {
      const before = gpu.liveBytes;
      const trainer = await create({ optim });
      const bytes = gpu.liveBytes - before;
      const reports: StepReport[] = [];
      await trainer.run({ onStep: (report) => reports.push(report) });
      const { flatCount } = trainer.layout;
      trainer.dispose();
      await gpu.idle();
      expect(gpu.liveBytes).toBe(before);
      return { losses: reports.map(({ loss }) => loss), bytes, flatCount };
    };
    const plain = await run('adamw_torch');
    const small = await run('adamw_8bit');
    expect(small.losses[0]).toBe(plain.losses[0]);
    const fall = plain.losses[0] - plain.losses.at(-1)!;
    expect(fall).toBeGreaterThan(0.1);
    expect(Math.abs(small.losses.at(-1)! - plain.losses.at(-1)!)).toBeLessThan(0.05 * fall);
    expect(small.losses.at(-1)).not.toBe(plain.losses.at(-1));
    // 6 of 7 elements have two bytes instead of eight; maps and tables take some of it.
    expect(plain.bytes - small.bytes).toBeGreaterThan(0.8 * (6 / 7) * 6 * plain.flatCount);
  });

  it('go on from the files of any step in the same bytes', async () => {
    const whole = await create({});
    await whole.run();
    const expected = await files(whole);
    whole.dispose();
    for (let at = 1; at < 8; at++) {
      const first = await create({});
      const stop = new AbortController();
      await first.run({ signal: stop.signal, onStep: ({ step }) => step === at && stop.abort() });
      const second = await create({}, read(await files(first)));
      first.dispose();
      await second.run();
      expect(await files(second), `stopped at ${at}`).toEqual(expected);
      second.dispose();
    }
  });

  it('are not taken for those of 32 bits, nor the other way round', async () => {
    const states = new Map<TrainingArguments['optim'], Checkpoint>();
    for (const optim of ['adamw_torch', 'adamw_8bit'] as const) {
      const trainer = await create({ optim, max_steps: 1 });
      await trainer.run();
      states.set(optim, read(await files(trainer)));
      trainer.dispose();
    }
    await gpu.idle();
    const baseline = gpu.liveCount;
    for (const [made, checkpoint] of states)
      for (const optim of states.keys()) {
        const resumed = create({ optim }, checkpoint);
        if (made === optim) (await resumed).dispose();
        else await expect(resumed).rejects.toMatchObject({ code: 'wrong-checkpoint' });
      }
    await gpu.idle();
    expect(gpu.liveCount).toBe(baseline);
  });

  it('change no bit where every parameter is small, but when decay comes', async () => {
    const golden = await openGolden('llama-tied');
    const tied = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
    const run = (changes: Partial<TrainingArguments>) =>
      storedRun({
        ...{ gpu, config: golden.config, weights: tied, rows: makeRows(6) },
        args: arguments_({ max_steps: 3, weight_decay: 0, ...changes }),
      });
    expect((await run({ optim: 'adamw_bnb_8bit' })).files).toEqual((await run({})).files);
    const after = await run({ optim: 'adamw_8bit', weight_decay: 0.5 });
    const before = await run({ weight_decay: 0.5 });
    expect(after.values).not.toEqual(before.values);
    // bitsandbytes' own optimiser of 32 bits is what small parameters have among its 8 bits.
    const paged = await run({ optim: 'paged_adamw_32bit', weight_decay: 0.5 });
    expect(paged.values).toEqual(after.values);
    const stopped = { at: 1, how: 'stopped' } as const;
    const input = {
      ...{ gpu, config: golden.config, weights: tied, rows: makeRows(6) },
      args: arguments_({ max_steps: 3, optim: 'adamw_8bit' }),
    };
    expect((await storedRun(input, stopped)).files).toEqual((await storedRun(input)).files);
  });
});
