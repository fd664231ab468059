/**
 * Plan: every field of PEFT's LoraConfig, from a list that PEFT itself has written, is known here. Set, it changes the
 * config that a run has, or is refused by name, or told as not used, or is of no consequence for what is computed,
 * and this file says which; none is passed over in silence by chance. At rest each of them is read in silence.
 */
import { describe, expect, test } from 'vitest';
import { ConfigError, parsePeftConfig, parseRecipeFile, type JsonObject } from '$lib/config';
import { readAdapterConfig } from '$lib/peft/adapter-config';
import { readJson } from '../goldens';

const AT_REST = readJson<JsonObject>('lora-fields.json');

/** A run is another one. */
const HONOURED: JsonObject = {
  ...{ r: 4, lora_alpha: 3, lora_dropout: 0.5, bias: 'all', peft_type: 'IA3' },
  ...{ target_modules: ['o_proj'], exclude_modules: ['q_proj'], layers_to_transform: [1] },
  layers_pattern: 'layers',
  ...{ rank_pattern: { q_proj: 2 }, alpha_pattern: { q_proj: 2 } },
  ...{ use_rslora: true, use_dora: true, init_lora_weights: 'gaussian' },
};

/** Something else would be computed. */
const REFUSED: JsonObject = {
  ...{ fan_in_fan_out: true, use_qalora: true, lora_bias: true },
  ...{ modules_to_save: ['lm_head'], trainable_token_indices: [1], layer_replication: [[0, 1]] },
  ...{ target_parameters: ['mlp.experts.gate_up_proj'], alora_invocation_tokens: [5] },
  ...{ arrow_config: { top_k: 1 }, kasa_config: { beta: 1 }, monteclora_config: { samples: 1 } },
  use_bdlora: { match_strict: true },
};

/**
 * Of starts that are refused themselves, of what goes with `modules_to_save`, and of how gradients are kept or work is
 * shared out: a run without them is said to be without them. On a finished adapter they have no bearing any more.
 */
const TOLD: JsonObject = {
  ...{ loftq_config: { loftq_bits: 4 }, eva_config: { rho: 2 }, corda_config: { verbose: true } },
  ...{ lora_ga_config: { direction: 'ArB2r' }, velora_config: { rank: 1 } },
  ...{ megatron_config: { hidden_size: 1 }, ensure_weight_tying: true, task_type: 'SEQ_CLS' },
};

/** Names, versions, places, and a size that only an option that is refused asks for. */
const OF_NO_CONSEQUENCE: JsonObject = {
  ...{ auto_mapping: { a: 'b' }, peft_version: '0.9.0', base_model_name_or_path: 'other' },
  ...{ revision: 'main', inference_mode: true, megatron_core: 'other', qalora_group_size: 32 },
  runtime_config: { ephemeral_gpu_offload: true },
};

/** What a field has to stand with. */
const WITH: Readonly<Record<string, JsonObject>> = {
  layers_pattern: { layers_to_transform: [1] },
};

const read = (settings: JsonObject) => parseRecipeFile(JSON.stringify(settings), 'c.json');
const ofAdapter = (settings: JsonObject) =>
  readAdapterConfig(JSON.stringify({ ...AT_REST, ...settings }));

test('the list is of PEFT, each name in one place', () => {
  const names = [HONOURED, REFUSED, TOLD, OF_NO_CONSEQUENCE].flatMap(Object.keys);
  expect(names.sort()).toEqual(Object.keys(AT_REST).sort());
});

test('at rest all are read in silence, as what PEFT begins with', () => {
  expect(read(AT_REST)).toMatchObject({ peft: read({}).peft, warnings: [] });
  expect(ofAdapter({})).toEqual(read({}).peft);
});

describe('set,', () => {
  test.each(Object.entries(HONOURED))('%s counts', (name, value) => {
    const [without, found] = [read({ ...WITH[name] }), read({ ...WITH[name], [name]: value })];
    expect(found.peft).not.toEqual(without.peft);
    expect(found.peft).toMatchObject({ [name]: value });
    expect(found.warnings).toEqual([]);
  });

  test.each(Object.entries(REFUSED))('%s is refused in one sentence', (name, value) => {
    for (const settings of [{ [name]: value }, { ...AT_REST, [name]: value }])
      for (const attempt of [
        () => read(settings),
        () => parsePeftConfig(JSON.stringify(settings), 'c.json'),
      ]) {
        expect(attempt).toThrow(ConfigError);
        expect(attempt).toThrow(
          new RegExp(`^c\\.json: ${name} is .*, which is not supported; .*\\.$`),
        );
      }
    expect(() => ofAdapter({ [name]: value })).toThrow(name);
  });

  test.each(Object.entries(TOLD))('%s is told as not used', (name, value) => {
    const { peft, warnings } = read({ [name]: value });
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^c\\.json: ${name} is not used`))]);
    expect(peft).toEqual(read({}).peft);
    expect(ofAdapter({ [name]: value })).toEqual(ofAdapter({}));
  });

  test.each(Object.entries(OF_NO_CONSEQUENCE))('%s changes nothing', (name, value) => {
    expect(read({ [name]: value })).toMatchObject({ peft: read({}).peft, warnings: [] });
    expect(ofAdapter({ [name]: value })).toEqual(ofAdapter({}));
  });
});
