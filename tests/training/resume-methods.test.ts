/**
 * Plan: every method's run, cut in two by a stop, written to files and read again, ends in the bytes of one that
 * was not; the files are those of its method; nothing is left on the GPU; a checkpoint of another method or rank
 * is refused. Dropout, shuffling and accumulation are on.
 */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DEFAULT_TRAINING_ARGUMENTS,
  readPeftConfig,
  type PeftConfig,
  type TrainingArguments,
} from '$lib/config';
import { adaptedModel, ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { ADAPTER_WEIGHTS_FILE } from '$lib/peft';
import {
  readCheckpoint,
  Trainer,
  writeCheckpoint,
  type Checkpoint,
  type CheckpointFiles,
} from '$lib/training';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { RAGGED_ROWS as ROWS } from './rows';

const ARGS: TrainingArguments = {
  ...DEFAULT_TRAINING_ARGUMENTS,
  learning_rate: 0.01,
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 2,
  max_steps: 7,
  weight_decay: 0.01,
  loraplus_lr_ratio: 4,
  logging_steps: 2,
  save_strategy: 'no',
};

const lora = (settings: Record<string, unknown>) => ({
  r: 3,
  lora_alpha: 6,
  lora_dropout: 0.2,
  target_modules: ['q_proj', 'v_proj', 'down_proj'],
  ...settings,
});

const METHODS: Record<string, Record<string, unknown>> = {
  'dora with biases': lora({ use_dora: true, bias: 'lora_only' }),
  pissa: lora({ init_lora_weights: 'pissa' }),
  'pissa with biases and rsLoRA': lora({
    init_lora_weights: 'pissa_niter_2',
    use_rslora: true,
    bias: 'all',
  }),
  olora: lora({ init_lora_weights: 'olora' }),
  'an orthogonal start, with biases': lora({
    ...{ r: 4, init_lora_weights: 'orthogonal', bias: 'lora_only' },
  }),
  'dora from random factors': lora({ use_dora: true, init_lora_weights: false }),
  'pissa in one block, with ranks of their own': lora({
    ...{ init_lora_weights: 'pissa', layers_to_transform: [1] },
    ...{ rank_pattern: { v_proj: 5, '.*down.*': 1 }, alpha_pattern: { q_proj: 2 } },
  }),
  ia3: { peft_type: 'IA3' },
  prefix: { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 3 },
  full: { peft_type: 'FULL' },
};

describe('a run of', () => {
  let gpu: Gpu;
  let golden: Awaited<ReturnType<typeof openGolden>>;
  let weights: ModelWeights;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    golden = await openGolden('qwen2');
    weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
  });
  afterAll(() => gpu.dispose());

  const create = (peft: PeftConfig, checkpoint?: Checkpoint) =>
    Trainer.create({
      gpu,
      config: golden.config,
      weights,
      peft,
      args: ARGS,
      rows: ROWS,
      checkpoint,
    });

  const filesOf = async (trainer: Trainer, peft: PeftConfig) =>
    writeCheckpoint(await trainer.checkpoint(), peft, adaptedModel(golden.config), 'base');

  /** SHA-256 of each file: a difference shows by the file's name. */
  const digests = (files: CheckpointFiles) =>
    Object.fromEntries(
      [...files].map(([name, bytes]) => [name, createHash('sha256').update(bytes).digest('hex')]),
    );

  it.each(Object.entries(METHODS))(
    '%s that is stopped and resumed from its files ends in the bytes of one that was not',
    async (_, settings) => {
      const peft = readPeftConfig(settings, 'test');
      await gpu.idle();
      const baseline = gpu.liveCount;
      const whole = await create(peft);
      await whole.run();
      const expected = digests(await filesOf(whole, peft));
      whole.dispose();
      for (const stopAt of [1, 5]) {
        const first = await create(peft);
        const stop = new AbortController();
        await first.run({
          signal: stop.signal,
          onStep: ({ step }) => step === stopAt && stop.abort(),
        });
        const files = await filesOf(first, peft);
        first.dispose();
        // What is trained has moved since, so equal bytes are no accident of a run that stands still.
        expect(digests(files)[ADAPTER_WEIGHTS_FILE]).not.toBe(expected[ADAPTER_WEIGHTS_FILE]);
        const model = adaptedModel(golden.config);
        const second = await create(peft, readCheckpoint(files, peft, model));
        expect(second.step).toBe(stopAt);
        await second.run();
        expect(digests(await filesOf(second, peft)), `stopped at ${stopAt}`).toEqual(expected);
        second.dispose();
      }
      await gpu.idle();
      expect(gpu.liveCount).toBe(baseline);
    },
  );

  it('one method does not go on from the checkpoint of another', async () => {
    const model = adaptedModel(golden.config);
    const read = (name: string) => readPeftConfig(METHODS[name], 'test');
    const trainer = await create(read('pissa'));
    const files = await filesOf(trainer, read('pissa'));
    trainer.dispose();
    expect(() => readCheckpoint(files, read('pissa'), model)).not.toThrow();
    const other = readPeftConfig(lora({ init_lora_weights: 'pissa', r: 4 }), 'test');
    expect(() => readCheckpoint(files, other, model)).toThrow(
      expect.objectContaining({ code: 'wrong-checkpoint' }),
    );
    for (const name of ['ia3', 'prefix', 'full', 'dora with biases']) {
      const peft = read(name);
      const resumed = async () => create(peft, readCheckpoint(files, peft, model));
      await expect(resumed(), name).rejects.toMatchObject({ code: 'wrong-checkpoint' });
    }
  });
});
