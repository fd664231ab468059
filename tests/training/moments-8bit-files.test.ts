/**
 * Plan: 8-bit moments come back from a checkpoint's files as they were; magnitudes that are negative or no numbers,
 * and blocks that do not belong together, are refused by name; the GPU takes only as many blocks as it has.
 */
import { describe, expect, it } from 'vitest';
import { readLoraConfig } from '$lib/config';
import { Gpu } from '$lib/gpu';
import { layoutAdapter, type AdaptedModel } from '$lib/peft';
import { readCheckpoint, writeCheckpoint, type TrainerState } from '$lib/training';
import {
  Moments8bit,
  planMoments,
  type BlockMoments,
  type OptimizerState,
} from '$lib/training/moments-8bit';
import { control } from '$lib/training/trainer-state';

const STATE: TrainerState = {
  ...{ best_global_step: null, best_metric: null, best_model_checkpoint: null },
  ...{ epoch: 1, global_step: 1, max_steps: 2, num_train_epochs: 2, train_batch_size: 1 },
  ...{ logging_steps: 1, eval_steps: 1, save_steps: 1, num_input_tokens_seen: 9 },
  log_history: [],
  stateful_callbacks: { TrainerControl: control({}) },
};

/** Enough to write a checkpoint of one layer: A is large, B is not. */
const WIDE_LAYER: AdaptedModel = {
  layers: [
    {
      ...{ path: 'model.layers.0.self_attn.q_proj', module: 'q_proj', hasBias: false },
      ...{ inFeatures: 1024, outFeatures: 8 },
    },
  ],
  ...{ tensors: [], layerCount: 1, keyHeads: 2, keyValueWidth: 8 },
};

describe('8-bit moments in files', () => {
  const lora = readLoraConfig({ r: 4, target_modules: ['q_proj'] }, 'test');
  const layout = layoutAdapter(WIDE_LAYER, lora);
  const { blocks, smallCount } = planMoments(layout);
  const codes = (value: number) => new Uint8Array(blocks.length * 256).fill(value);
  const floats = (value: number, length = blocks.length) => new Float32Array(length).fill(value);
  const good: OptimizerState = {
    ...{ m: floats(-1, smallCount), v: floats(1, smallCount) },
    blocks: { mCodes: codes(3), vCodes: codes(4), mAbsmax: floats(0.5), vAbsmax: floats(0) },
  };
  /** What is read of what was written. */
  const pass = (moments: OptimizerState) => {
    const values = new Float32Array(layout.flatCount);
    const made = { values, initial: undefined, moments, pendingLoss: { sum: 0, count: 0 } };
    const written = writeCheckpoint({ ...made, state: STATE }, lora, WIDE_LAYER, 'base');
    return readCheckpoint(written, lora, WIDE_LAYER).moments;
  };
  const withBlocks = (changes: Partial<BlockMoments>): OptimizerState => ({
    ...good,
    blocks: { ...good.blocks!, ...changes },
  });
  const changed = (index: number, value: number) => {
    const absmax = floats(0.5);
    absmax[index] = value;
    return absmax;
  };

  it('come back as they were', () => expect(pass(good)).toEqual(good));

  it.each([
    [-1e-30, 'magnitudes below zero'],
    [-Infinity, 'values that are no numbers'],
    [Infinity, 'values that are no numbers'],
    [NaN, 'values that are no numbers'],
  ])('are refused where a block has a largest magnitude of %d', (value, what) => {
    for (const [name, field] of [
      ['exp_avg', 'mAbsmax'],
      ['exp_avg_sq', 'vAbsmax'],
    ] as const) {
      const read = () => pass(withBlocks({ [field]: changed(blocks.length - 1, value) }));
      expect(read).toThrow(
        `optimizer.safetensors: ${name}.absmax holds ${what}. Resume from another checkpoint.`,
      );
      expect(read).toThrow(expect.objectContaining({ code: 'wrong-checkpoint' }));
    }
  });

  it('are refused where the two moments have other numbers of blocks', () => {
    expect(() => pass(withBlocks({ mAbsmax: floats(1, blocks.length + 1) }))).toThrow(
      /does not fit/,
    );
    expect(() => pass(withBlocks({ vCodes: new Uint8Array(256) }))).toThrow(/does not fit/);
  });

  it('are written to the GPU only where it has as many blocks', () => {
    const gpu = Gpu.counting();
    const moments = new Moments8bit(gpu, layout);
    expect(() => moments.write(good)).not.toThrow();
    const fewer = { mCodes: new Uint8Array(256), vCodes: new Uint8Array(256) };
    const scales = { mAbsmax: floats(1, 1), vAbsmax: floats(1, 1) };
    for (const wrong of [
      ...[withBlocks(fewer), withBlocks(scales), withBlocks({ ...fewer, ...scales })],
      ...[
        { m: good.m, v: good.v },
        { ...good, m: floats(0, smallCount + 1) },
      ],
    ])
      expect(() => moments.write(wrong)).toThrow(
        expect.objectContaining({ code: 'wrong-checkpoint' }),
      );
    moments.dispose();
    expect(gpu.liveCount).toBe(0);
  });
});
