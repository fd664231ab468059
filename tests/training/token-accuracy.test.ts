/**
 * Plan: the token accuracy of an evaluation is the share of targets that have the largest logit, over
 * - transformers' and PEFT's own logits, where labels are what torch puts first, second, or nothing
 * - our logits after some steps, read back and counted here, for batches of any size and rows of any length
 * and it is the same in a run and in `evaluate`, whatever the batch; a state without it is read as one with it is.
 *
 * Logits are within 1e-5 of torch's: no count hangs on it where the two largest are further apart, which is asserted.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { AdapterState } from '$lib/peft';
import {
  countTargets,
  evaluateLoss,
  Trainer,
  writeTrainerState,
  type TokenRow,
} from '$lib/training';
import { parseTrainerState } from '$lib/training/trainer-state';
import { requestTestGpu } from '../dawn';
import { onePass } from '../decoder/one-pass';
import { openGolden } from '../goldens';
import { arguments_, HASTY, LORA, makeEasyRows } from './stored-run';

/** Tokens from the largest logit down; of equal ones the lowest first. */
const ranked = (logits: Float32Array): number[] =>
  Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);

describe('token accuracy', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  it.each(['llama-tied', 'qwen2', 'mistral-sliding'])(
    "counts what torch's own logits put first: %s",
    async (name) => {
      const { config, checkpoint, adapter: stored, forward } = await openGolden(name);
      const ids = forward.get('input_ids')!;
      const mask = forward.get('attention_mask')!.integers;
      const { floats } = forward.get('adapter_logits')!;
      const [B, T] = ids.shape;
      const V = config.vocabSize;
      let right = 0;
      const rows: TokenRow[] = Array.from({ length: B }, (_, b) => {
        const length = mask.subarray(b * T, (b + 1) * T).reduce((sum, one) => sum + one, 0);
        const labels = new Int32Array(length).fill(-100);
        for (let t = 1; t < length; t++) {
          const at = (b * T + t - 1) * V;
          const logits = floats.subarray(at, at + V);
          const [first, second] = ranked(logits);
          // Three of four are targets, every other of them wrong.
          if (t % 4 === 0 || logits[first] - logits[second] < 1e-3) continue;
          labels[t] = t % 2 ? first : second;
          right += t % 2;
        }
        return { inputIds: ids.integers.slice(b * T, b * T + length), labels };
      });
      const targets = rows.reduce((sum, row) => sum + countTargets(row), 0);
      expect(right).toBeGreaterThan(3);
      expect(targets - right).toBeGreaterThan(1);
      const weights = await ModelWeights.upload(gpu, config, checkpoint.source);
      const adapter = new AdapterState(gpu, stored.layout, stored.config, stored.values, {
        trainable: false,
      });
      for (const batchSize of [1, B]) {
        const found = await evaluateLoss({ gpu, config, weights, adapter, rows, batchSize });
        expect(found.targetCount).toBe(targets);
        expect(found.meanTokenAccuracy).toBe(right / targets);
      }
      adapter.dispose();
      weights.dispose();
    },
  );

  it('is the share of our own logits after a run, in the run and in an evaluation, for any batch', async () => {
    const { config, checkpoint } = await openGolden('llama-tied');
    const weights = await ModelWeights.upload(gpu, config, checkpoint.source);
    const rows = makeEasyRows(10);
    const evalRows = makeEasyRows(9, 3);
    const args = arguments_({
      ...{ eval_strategy: 'steps', eval_steps: 100, max_steps: 9 },
      ...{ learning_rate: HASTY, lr_scheduler_type: 'constant' },
    });
    const V = config.vocabSize;
    for (const per_device_eval_batch_size of [1, 4, 9]) {
      const trainer = await Trainer.create({
        ...{ gpu, config, weights, rows, evalRows, peft: LORA },
        args: { ...args, per_device_eval_batch_size },
      });
      const told: number[] = [];
      await trainer.run({
        onEvaluate: ({ eval_mean_token_accuracy }) => told.push(eval_mean_token_accuracy),
      });
      const values = await trainer.adapter.readParameters();
      const adapter = new AdapterState(gpu, trainer.layout, LORA, values, { trainable: true });
      trainer.dispose();
      const { logits, T } = await onePass(gpu, { config, weights, adapter }, evalRows);
      adapter.dispose();
      let right = 0;
      evalRows.forEach(({ labels }, b) =>
        labels.forEach((label, t) => {
          if (t === 0 || label < 0) return;
          const at = (b * T + t - 1) * V;
          const [first] = ranked(logits.subarray(at, at + V));
          if (first === label) right++;
        }),
      );
      const targets = evalRows.reduce((sum, row) => sum + countTargets(row), 0);
      expect(right).toBeGreaterThan(2);
      expect(right).toBeLessThan(targets - 2);
      expect(told).toEqual([right / targets]);
    }
    weights.dispose();
  });

  it('is read back from a state, and a state of before is read without it', () => {
    const { log_history, ...state } = parseTrainerState(
      JSON.stringify({
        ...{ epoch: 1, global_step: 2, max_steps: 4, num_train_epochs: 2, train_batch_size: 2 },
        ...{ logging_steps: 1, save_steps: 1, num_input_tokens_seen: 9 },
        log_history: [
          { epoch: 0.5, eval_loss: 2, step: 1 },
          { epoch: 1, eval_loss: 1.5, eval_mean_token_accuracy: 0.25, step: 2 },
        ],
      }),
    );
    expect(log_history).toEqual([
      { epoch: 0.5, eval_loss: 2, step: 1 },
      { epoch: 1, eval_loss: 1.5, eval_mean_token_accuracy: 0.25, step: 2 },
    ]);
    const again = parseTrainerState(writeTrainerState({ ...state, log_history }));
    expect(again).toEqual({ ...state, log_history });
  });
});
