/** An adapter's two files, and the four of a checkpoint, on the model that they were made for. */
import { describe, expect, it } from 'vitest';
import { readPeftConfig, type PeftConfig } from '$lib/config';
import { layoutAdapter, readAdapter, writeAdapter, type AdaptedModel } from '$lib/peft';
import { readCheckpoint, writeCheckpoint, type CheckpointFiles } from '$lib/training';
import type { Xoshiro128 } from '$lib/config/random';
import { fuzzParser } from './fuzz-parser';
import { chance } from './hostile';
import { concat, mutateBytes } from './mutate-bytes';
import { mutateJson } from './mutate-json';

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
  log_history: [{ epoch: 1, grad_norm: 1, learning_rate: 0.1, loss: 2, step: 2 }],
};

const valuesOf = (config: PeftConfig) => {
  const { flatCount } = layoutAdapter(MODEL, config);
  return Float32Array.from({ length: flatCount }, (_, i) => i / 100);
};

/** What a run of each method leaves: its config, and the four files. */
const CHECKPOINTS = CONFIGS.map((config) => {
  const values = valuesOf(config);
  const pendingLoss = { sum: 1.5, count: 2 };
  const factored = config.peft_type === 'LORA' && config.init_lora_weights !== true;
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
  (config) => config.peft_type !== 'LORA' || config.init_lora_weights === true,
).map((config) =>
  writeAdapter(
    { config, layout: layoutAdapter(MODEL, config), values: valuesOf(config) },
    MODEL,
    'base',
  ),
);

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
        for (const { step, loss } of state.log_history)
          expect(Number.isFinite(step) && Number.isFinite(loss)).toBe(true);
      },
    });
    expect(counts.accepted).toBeGreaterThan(1000);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['wrong-checkpoint', 'wrong-type', 'not-json', 'corrupt']),
    );
  });
});
