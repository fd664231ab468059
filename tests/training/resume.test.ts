/** A run that is stopped or killed at any step and taken up again: the bytes of one that was not, whatever it is asked. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingArguments } from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { arguments_, makeRows, storedRun } from './stored-run';

const CASES: [string, Partial<TrainingArguments>][] = [
  ['cosine_with_restarts', { lr_scheduler_type: 'cosine_with_restarts', warmup_steps: 2 }],
  [
    'warmup_stable_decay',
    { lr_scheduler_type: 'warmup_stable_decay', lr_scheduler_kwargs: { num_decay_steps: 3 } },
  ],
  ['label_smoothing_factor', { label_smoothing_factor: 0.2 }],
  ['neftune_noise_alpha', { neftune_noise_alpha: 5 }],
  ['gradient_checkpointing', { gradient_checkpointing: true }],
  ['fp16', { fp16: true }],
  ['group_by_length', { group_by_length: true }],
  ['packing', { packing: true, max_length: 32, per_device_train_batch_size: 1 }],
  [
    'logging_strategy epoch',
    { logging_strategy: 'epoch', logging_first_step: true, num_train_epochs: 1.67 },
  ],
  [
    'all at once',
    {
      ...{ label_smoothing_factor: 0.1, neftune_noise_alpha: 3, gradient_checkpointing: true },
      ...{ group_by_length: true, packing: true, max_length: 24 },
      ...{ per_device_train_batch_size: 1, max_steps: 7, lr_scheduler_type: 'polynomial' },
      ...{ eval_strategy: 'epoch', save_strategy: 'epoch', load_best_model_at_end: true },
      ...{ eval_on_start: true, early_stopping_patience: 2 },
    },
  ],
];

describe('a resumed run', () => {
  let gpu: Gpu;
  let golden: Awaited<ReturnType<typeof openGolden>>;
  let weights: ModelWeights;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    golden = await openGolden('llama-tied');
    weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
  });
  afterAll(() => gpu.dispose());

  it.each(CASES)('ends in the same bytes: %s', async (_title, changes) => {
    const asked = { save_strategy: 'steps', save_steps: 2, ...changes } as const;
    const input = {
      ...{ gpu, config: golden.config, weights, args: arguments_(asked) },
      ...{ rows: makeRows(10), evalRows: makeRows(6, 3) },
    };
    const whole = await storedRun(input);
    const last = whole.state.global_step;
    expect(last).toBeGreaterThan(4);
    for (let at = 1; at < last; at++)
      for (const how of ['stopped', 'killed'] as const) {
        const found = await storedRun(input, { at, how });
        expect(found.files, `${how} at ${at}`).toEqual(whole.files);
        expect(found.checkpoints, `${how} at ${at}`).toEqual(whole.checkpoints);
      }
    // Control: the argument does something.
    const plain = await storedRun({ ...input, args: arguments_({ save_strategy: 'no' }) });
    if (!['gradient_checkpointing', 'logging_strategy epoch'].includes(_title))
      expect(plain.values).not.toEqual(whole.values);
  });
});
