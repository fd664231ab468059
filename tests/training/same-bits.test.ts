/** The same run twice, a run cut in two, and what a run leaves behind on the GPU. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_TRAINING_ARGUMENTS, readLoraConfig, type TrainingArguments } from '$lib/config';
import { adaptedModel, ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { readCheckpoint, Trainer, writeCheckpoint, type Checkpoint } from '$lib/training';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { RAGGED_ROWS as ROWS } from './rows';

const ARGS: TrainingArguments = {
  ...DEFAULT_TRAINING_ARGUMENTS,
  learning_rate: 0.01,
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 2,
  max_steps: 6,
  weight_decay: 0.01,
  logging_steps: 2,
  save_strategy: 'no',
};

const LORA = readLoraConfig({ r: 3, lora_alpha: 6, lora_dropout: 0.2 }, 'test');

describe('a run', () => {
  let gpu: Gpu;
  let golden: Awaited<ReturnType<typeof openGolden>>;
  let weights: ModelWeights;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    golden = await openGolden('llama-tied');
    weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
  });
  afterAll(() => gpu.dispose());

  const create = (checkpoint?: Checkpoint, args = ARGS) =>
    Trainer.create({
      gpu,
      config: golden.config,
      weights,
      peft: LORA,
      args,
      rows: ROWS,
      checkpoint,
    });

  /** SHA-256 of each file: a difference shows by the file's name. */
  const bytesAfter = async (trainer: Trainer) => {
    const files = writeCheckpoint(
      await trainer.checkpoint(),
      LORA,
      adaptedModel(golden.config),
      'base',
    );
    const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    return Object.fromEntries([...files].map(([name, bytes]) => [name, digest(bytes)]));
  };

  it('gives the same bytes twice, dropout and shuffling included', async () => {
    const results = [];
    for (let time = 0; time < 2; time++) {
      const trainer = await create();
      await trainer.run();
      results.push(await bytesAfter(trainer));
      trainer.dispose();
    }
    expect(results[1]).toEqual(results[0]);
    const other = await create(undefined, { ...ARGS, seed: 43 });
    await other.run();
    expect(await bytesAfter(other)).not.toEqual(results[0]);
    other.dispose();
  });

  it('that is stopped and resumed from its files ends in the bytes of one that was not', async () => {
    const whole = await create();
    await whole.run();
    const expected = await bytesAfter(whole);
    whole.dispose();
    for (const stopAt of [1, 3, 5]) {
      const first = await create();
      const stop = new AbortController();
      await first.run({
        signal: stop.signal,
        onStep: ({ step }) => step === stopAt && stop.abort(),
      });
      expect(first.step).toBe(stopAt);
      const files = writeCheckpoint(
        await first.checkpoint(),
        LORA,
        adaptedModel(golden.config),
        'base',
      );
      first.dispose();
      const second = await create(readCheckpoint(files, LORA, adaptedModel(golden.config)));
      expect(second.step).toBe(stopAt);
      await second.run();
      expect(await bytesAfter(second), `stopped at ${stopAt}`).toEqual(expected);
      second.dispose();
    }
  });

  it('leaves no GPU buffer behind after it ends, is cancelled, or fails to start', async () => {
    await gpu.idle();
    const baseline = gpu.liveCount;
    const finished = await create();
    await finished.run();
    finished.dispose();
    const cancelled = await create();
    const stop = new AbortController();
    await cancelled.run({ signal: stop.signal, onStep: () => stop.abort() });
    cancelled.dispose();
    const checkpoint = { values: new Float32Array(3) } as unknown as Checkpoint;
    await expect(
      create({ ...checkpoint, moments: { m: checkpoint.values, v: checkpoint.values } }),
    ).rejects.toMatchObject({ code: 'wrong-checkpoint' });
    await gpu.idle();
    expect(gpu.liveCount).toBe(baseline);
  });

  it('waits at its gate between steps, and writes checkpoints when they are due', async () => {
    const trainer = await create(undefined, { ...ARGS, save_strategy: 'steps', save_steps: 4 });
    const events: string[] = [];
    let open = () => {};
    const closed = new Promise<void>((resolve) => (open = resolve));
    const running = trainer.run({
      gate: () => (trainer.step === 2 ? (events.push('gate'), closed) : undefined),
      onStep: ({ step }) => events.push(`step ${step}`),
      onCheckpoint: async ({ state }) => void events.push(`checkpoint ${state.global_step}`),
    });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(events.at(-1)).toBe('gate');
    open();
    await running;
    expect(events.filter((event) => event.startsWith('checkpoint'))).toEqual([
      'checkpoint 4',
      'checkpoint 6',
    ]);
    trainer.dispose();
  });

  it('says that it diverged instead of going on with numbers that are none', async () => {
    const trainer = await create(undefined, { ...ARGS, learning_rate: 10, max_grad_norm: 0 });
    const values = (await trainer.checkpoint()).values.fill(3e38);
    gpu.upload(trainer.adapter.params, values);
    await expect(trainer.run()).rejects.toMatchObject({ code: 'diverged' });
    trainer.dispose();
  });
});
