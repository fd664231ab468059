/**
 * An adapter's two files, and the four of a checkpoint, on the model that they were made for; moments of 8 bits up
 * to the GPU, which here only counts.
 */
import { describe, expect, it } from 'vitest';
import { parsePeftConfig, readPeftConfig, startsFromWeights, type PeftConfig } from '$lib/config';
import { Gpu } from '$lib/gpu';
import { layoutAdapter, readAdapter, writeAdapter, type AdaptedModel } from '$lib/peft';
import {
  OPTIMIZER_FILE,
  readCheckpoint,
  writeCheckpoint,
  type CheckpointFiles,
} from '$lib/training';
import { Moments8bit, planMoments } from '$lib/training/moments-8bit';
import { control } from '$lib/training/trainer-state';
import type { Xoshiro128 } from '$lib/config/random';
import { fuzzParser } from './fuzz-parser';
import { chance, pick } from './hostile';
import { concat, mutateBytes } from './mutate-bytes';
import { mutateJson } from './mutate-json';
import { mutateText } from './mutate-text';

const MODEL: AdaptedModel = {
  layers: (['q_proj', 'v_proj', 'o_proj'] as const).map((module) => ({
    path: `model.layers.0.self_attn.${module}`,
    module,
    inFeatures: 8,
    outFeatures: 12,
    hasBias: module !== 'o_proj',
  })),
  tensors: [
    { name: 'model.embed_tokens.weight', shape: [16, 8] },
    { name: 'model.norm.weight', shape: [8] },
  ],
  layerCount: 1,
  keyHeads: 2,
  keyValueWidth: 8,
};

/** One of each method; PiSSA is kept as a plain LoRA of twice the rank. */
const CONFIGS: readonly PeftConfig[] = [
  { r: 2, lora_alpha: 4, bias: 'lora_only' },
  { r: 2, lora_alpha: 4, use_dora: true },
  { r: 2, lora_alpha: 4, init_lora_weights: 'pissa' },
  { r: 2, lora_alpha: 4, init_lora_weights: 'orthogonal' },
  {
    ...{ r: 2, target_modules: '.*\\.(q|o)_proj', exclude_modules: ['1.self_attn.v_proj'] },
    ...{ rank_pattern: { q_proj: 3, '.*o.*': 1 }, alpha_pattern: { '^model.*q_proj': 5 } },
  },
  {
    ...{ target_modules: ['q_proj', '0.self_attn.o_proj'], exclude_modules: '.*v_proj' },
    ...{ layers_to_transform: [0], layers_pattern: 'layers', use_rslora: true },
    rank_pattern: { '(?!.*q).*': 2 },
  },
  { peft_type: 'IA3', target_modules: ['q_proj', 'v_proj'], feedforward_modules: [] },
  { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 3 },
  { peft_type: 'FULL' },
].map((config) => readPeftConfig(config, 'test'));

const STATE = {
  epoch: 1.5,
  global_step: 3,
  max_steps: 6,
  num_train_epochs: 3,
  train_batch_size: 2,
  logging_steps: 1,
  save_steps: 3,
  num_input_tokens_seen: 99,
  eval_steps: 2,
  best_global_step: 2,
  best_metric: 1.5,
  best_model_checkpoint: 'run/checkpoint-2',
  log_history: [
    { epoch: 1, grad_norm: 1, learning_rate: 0.1, loss: 2, step: 2 },
    { epoch: 1, eval_loss: 1.5, eval_mean_token_accuracy: 0.5, step: 2 },
  ],
  stateful_callbacks: {
    TrainerControl: control({ should_evaluate: true }),
    EarlyStoppingCallback: {
      args: { early_stopping_patience: 2, early_stopping_threshold: 0.1 },
      attributes: { early_stopping_patience_counter: 1 },
    },
  },
};

const valuesOf = (config: PeftConfig) => {
  const { flatCount } = layoutAdapter(MODEL, config);
  return Float32Array.from({ length: flatCount }, (_, i) => i / 100);
};

/** What a run of each method leaves: its config, and the four files. */
const CHECKPOINTS = CONFIGS.map((config) => {
  const values = valuesOf(config);
  const pendingLoss = { sum: 1.5, count: 2 };
  const factored = config.peft_type === 'LORA' && startsFromWeights(config);
  const made = {
    values,
    initial: factored ? values : undefined,
    moments: { m: values, v: values },
    pendingLoss,
    state: STATE,
  };
  return { config, files: Object.fromEntries(writeCheckpoint(made, config, MODEL, 'base')) };
});

const ADAPTERS = CONFIGS.filter(
  (config) => config.peft_type !== 'LORA' || !startsFromWeights(config),
).map((config) =>
  writeAdapter(
    { config, layout: layoutAdapter(MODEL, config), values: valuesOf(config) },
    MODEL,
    'base',
  ),
);

/** Of A, which is large, in blocks; of B and the bias in 32 bits. */
const WIDE: AdaptedModel = {
  ...MODEL,
  layers: [{ ...MODEL.layers[0], inFeatures: 4096 }],
};
const ADAMW_8BIT = (() => {
  const config = readPeftConfig(
    { r: 1, lora_alpha: 1, bias: 'lora_only', target_modules: ['q_proj'] },
    'test',
  );
  const layout = layoutAdapter(WIDE, config);
  const { blocks, smallCount } = planMoments(layout);
  const codes = Uint8Array.from({ length: 256 * blocks.length }, (_, i) => i);
  const absmax = new Float32Array(blocks.length).fill(0.5);
  const small = new Float32Array(smallCount).fill(0.25);
  const checkpoint = {
    values: Float32Array.from({ length: layout.flatCount }, (_, i) => i / 1000),
    initial: undefined,
    moments: {
      ...{ m: small, v: small },
      blocks: { mCodes: codes, vCodes: codes, mAbsmax: absmax, vAbsmax: absmax },
    },
    pendingLoss: { sum: 1.5, count: 2 },
    state: STATE,
  };
  const files = writeCheckpoint(checkpoint, config, WIDE, 'base');
  return { config, layout, counts: { blocks: blocks.length, small: smallCount }, files };
})();

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const encode = (text: string) => new TextEncoder().encode(text);

/** A file of either kind: JSON as JSON or as bytes, safetensors in its header or anywhere. */
function mutateFile(random: Xoshiro128, name: string, bytes: Uint8Array): Uint8Array {
  if (chance(random, 4)) return mutateBytes(random, bytes);
  if (name.endsWith('.json')) return encode(mutateJson(random, JSON.parse(decode(bytes))));
  const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = encode(mutateJson(random, JSON.parse(decode(bytes.subarray(8, end)))));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  return concat(length, header, bytes.subarray(end));
}

/** A value in one of the tensors; what the bytes around it are is left alone. */
function mutateTensor(random: Xoshiro128, bytes: Uint8Array): Uint8Array {
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(decode(bytes.subarray(8, start))) as object;
  const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__');
  const [, { data_offsets }] = pick(random, tensors) as [string, { data_offsets: number[] }];
  const [begin, end] = data_offsets;
  const copy = bytes.slice();
  const at = start + begin + 4 * random.nextBelow((end - begin) / 4);
  new DataView(copy.buffer).setFloat32(at, pick(random, FLOATS), true);
  return copy;
}

const FLOATS = [0, -0, 1, -1, 1e-45, -1e-45, 3e38, -3e38, NaN, Infinity, -Infinity];

const isFinite = (values: Float32Array) => values.every((value) => Number.isFinite(value));

describe('hostile adapters and checkpoints', () => {
  it('adapters are refused by code or fill every parameter with a number', async () => {
    const counts = await fuzzParser({
      title: 'adapter',
      samples: ADAPTERS,
      mutate: (random, { configJson, weights }) =>
        chance(random, 2)
          ? { configJson: decode(mutateFile(random, 'c.json', encode(configJson))), weights }
          : { configJson, weights: mutateFile(random, 'w.safetensors', weights) },
      parse: (files) => readAdapter(files, MODEL),
      check({ values, layout }) {
        expect(values).toHaveLength(layout.flatCount);
        expect(isFinite(values)).toBe(true);
      },
    });
    expect(counts.accepted).toBeGreaterThan(1000);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['wrong-model', 'missing-tensor', 'corrupt', 'not-json']),
    );
  });

  it('expressions of layers are refused by code or name layers of a large model, soon', async () => {
    const large: AdaptedModel = {
      ...MODEL,
      layers: Array.from({ length: 8 }, (_, layer) =>
        MODEL.layers.map(({ path, ...rest }) => ({
          ...rest,
          path: path.replace('layers.0', `layers.${layer}`),
        })),
      ).flat(),
      layerCount: 8,
    };
    const unsloth =
      '(?:.*?(?:self_attn|attn).*?(?:q_proj|v_proj).*?)|(?:\\bmodel\\.[\\d]{1,}\\.o_proj)';
    const counts = await fuzzParser({
      title: 'layers',
      samples: [unsloth, '((\\w+\\.)+|(a*)*){0,9}(q|v)_proj', '(?!.*(?:0|9)\\.).*_proj$'].map(
        (target_modules) =>
          JSON.stringify({
            ...{ target_modules, exclude_modules: '(.*)*(?=.*7).*' },
            ...{ rank_pattern: { '(.*)*1': 2, '[qv]_proj': 3 }, alpha_pattern: { '\\d\\..*': 2 } },
          }),
      ),
      mutate: (random, text) =>
        chance(random, 2) ? mutateText(random, text) : mutateJson(random, JSON.parse(text)),
      parse: (text) => layoutAdapter(large, parsePeftConfig(text)),
      check({ parameters }) {
        expect(parameters.length).toBeGreaterThan(0);
        for (const { shape } of parameters) expect(Math.min(...shape)).toBeGreaterThan(0);
      },
    });
    expect(counts.accepted).toBeGreaterThan(1000);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['unsupported-option', 'no-target', 'out-of-range']),
    );
  });

  it('checkpoints are refused by code or hold a step, moments and parameters that fit', async () => {
    const counts = await fuzzParser({
      title: 'checkpoint',
      samples: CHECKPOINTS,
      mutate(random, { config, files }) {
        const names = Object.keys(files);
        const name = names[random.nextBelow(names.length)];
        if (chance(random, 20))
          return {
            config,
            files: Object.fromEntries(Object.entries(files).filter(([other]) => other !== name)),
          };
        return { config, files: { ...files, [name]: mutateFile(random, name, files[name]) } };
      },
      parse: ({ config, files }) =>
        readCheckpoint(new Map(Object.entries(files)) as CheckpointFiles, config, MODEL),
      check({ values, initial, moments, state, pendingLoss }, { config }) {
        expect(values).toHaveLength(layoutAdapter(MODEL, config).flatCount);
        if (initial) expect(isFinite(initial)).toBe(true);
        expect(moments.m).toHaveLength(values.length);
        expect(moments.v).toHaveLength(values.length);
        expect([values, moments.m, moments.v].every(isFinite)).toBe(true);
        expect(moments.v.every((square) => square >= 0)).toBe(true);
        expect(Number.isSafeInteger(state.global_step) && state.global_step >= 0).toBe(true);
        expect(Number.isFinite(pendingLoss.sum) && pendingLoss.count >= 0).toBe(true);
        for (const entry of state.log_history)
          expect(Object.values(entry).every(Number.isFinite)).toBe(true);
      },
    });
    expect(counts.accepted).toBeGreaterThan(1000);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['wrong-checkpoint', 'wrong-type', 'not-json', 'corrupt']),
    );
  });

  it('moments of 8 bits are refused by code or fill the blocks of the run', async () => {
    const { config, layout, counts: parts, files } = ADAMW_8BIT;
    const gpu = Gpu.counting();
    const moments8bit = new Moments8bit(gpu, layout);
    const counts = await fuzzParser({
      title: '8-bit moments',
      samples: [files.get(OPTIMIZER_FILE)!],
      mutate: (random, optimizer) =>
        chance(random, 2)
          ? mutateTensor(random, optimizer)
          : mutateFile(random, OPTIMIZER_FILE, optimizer),
      parse(optimizer) {
        const read = readCheckpoint(new Map([...files, [OPTIMIZER_FILE, optimizer]]), config, WIDE);
        moments8bit.write(read.moments);
        return read.moments;
      },
      check({ m, v, blocks }) {
        expect([m.length, v.length]).toEqual([parts.small, parts.small]);
        const { mCodes, vCodes, mAbsmax, vAbsmax } = blocks!;
        expect([mAbsmax.length, vAbsmax.length]).toEqual([parts.blocks, parts.blocks]);
        expect([mCodes.length, vCodes.length]).toEqual([256 * parts.blocks, 256 * parts.blocks]);
        expect([m, v, mAbsmax, vAbsmax].every(isFinite)).toBe(true);
        for (const values of [v, mAbsmax, vAbsmax])
          expect(values.every((value) => value >= 0)).toBe(true);
      },
    });
    moments8bit.dispose();
    expect(gpu.liveCount).toBe(0);
    expect(counts.accepted).toBeGreaterThan(1000);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['wrong-checkpoint', 'truncated', 'corrupt']),
    );
  });
});
