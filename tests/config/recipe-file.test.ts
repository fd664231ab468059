/**
 * Plan: what a recipe names and nobody reads is told, once a name, with the name that was meant or what to use;
 * files of PEFT and of the Trainer, written out in full, are read in silence; PEFT's options that would change
 * what is computed are refused by name when they are set. Each with its control.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  parsePeftConfig,
  parseRecipeFile,
  readTrainingArguments,
  type JsonObject,
} from '$lib/config';
import { KNOWN_SETTINGS } from '$lib/config/known-settings';
import { goldenPath } from '../goldens';

const warningsOf = (settings: object) =>
  parseRecipeFile(JSON.stringify(settings), 'c.json').warnings;

describe('a name that nobody reads is told', () => {
  test.each([
    [{ learning_rte: 1 }, 'c.json: learning_rte is not used; did you mean learning_rate?'],
    [{ lr_schedular_type: 'cosine' }, /did you mean lr_scheduler_type\?$/],
    [{ learningRate: 1 }, /did you mean learning_rate\?$/],
    [{ num_virtual_token: 4 }, /did you mean num_virtual_tokens\?$/],
    [{ bf16: true }, /bf16 is not used \(it is true\): the model's weights stay in the 16 bits/],
    [{ max_seq_len: 512 }, /max_seq_len is not used \(it is 512\): use max_length\.$/],
    [{ assistant_only_loss: true }, /the loss is on the answers alone unless train_on_prompt/],
    [{ completion_only_loss: false }, /train_on_prompt takes the loss on the prompt too/],
    [{ dataloader_drop_last: true }, /dataloader_drop_last is not used \(it is true\)/],
    [{ rank: 4 }, /rank is not used \(it is 4\): use r\.$/],
    [{ push_to_hub: true }, /nothing is uploaded/],
    [{ loftq_config: { loftq_bits: 4 } }, /loftq_config is not used/],
    [{ peft_type: 'IA3', r: 16 }, 'c.json: r is not used: peft_type IA3 has no such option.'],
    [{ wholly_other: 1 }, 'c.json: wholly_other is not used.'],
    [{ 'a\nb': 1 }, 'c.json: "a\\nb" is not used.'],
  ])('%j', (settings, sentence) => {
    expect(warningsOf(settings)).toEqual([
      typeof sentence === 'string' ? sentence : expect.stringMatching(sentence),
    ]);
  });

  test('each in a line of its own, in the order of the file', () => {
    const found = warningsOf({ max_seq_len: 1, r: 4, learning_rte: 1, ['x'.repeat(5000)]: 1 });
    expect(found.map((line) => line.split(' ')[1].slice(0, 14))).toEqual([
      ...['max_seq_len', 'learning_rte', 'xxxxxxxxxxxxxx'],
    ]);
  });

  test('and is no error: the rest of the recipe counts', () => {
    const { peft, args } = parseRecipeFile('{"r": 4, "seed": 7, "rank": 9}', 'c.json');
    expect([peft, args]).toMatchObject([{ r: 4 }, { seed: 7 }]);
  });
});

describe('silence is kept', () => {
  test('over what is off, or at the value that a run has anyway', () => {
    expect(
      warningsOf({
        ...{ bf16: false, max_seq_length: null, completion_only_loss: true, fsdp: '' },
        ...{ assistant_only_loss: false, dataloader_drop_last: false, push_to_hub: false },
        ...{ output_dir: 'out', report_to: ['wandb'], packing_strategy: 'bfd', eval_delay: 0 },
        ...{ bnb_4bit_quant_type: 'nf4', train_sampling_strategy: 'random', warmup_ratio: 0.1 },
        ...{ warmup_steps: 0.1, deepspeed: null, dataset_text_field: 'text', use_dora: false },
      }),
    ).toEqual([]);
    expect(warningsOf({ peft_type: 'PREFIX_TUNING', use_dora: false, bias: 'none' })).toEqual([]);
  });

  test('over every adapter_config.json that PEFT wrote for the goldens', () => {
    const root = goldenPath('.');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('adapter_config.json'),
    );
    expect(files.length).toBeGreaterThan(50);
    for (const name of files) {
      const object = JSON.parse(readFileSync(join(root, name), 'utf8')) as JsonObject;
      // A recipe refuses these starts, and so what belongs to them.
      const isRefused = ['eva', 'mica'].includes(String(object.init_lora_weights));
      const plain = isRefused ? { init_lora_weights: true, eva_config: null } : {};
      expect(warningsOf({ ...object, ...plain }), name).toEqual([]);
    }
  });

  test('over a name that is read: none is in the list of what is known and not read', () => {
    const names = new Set<string>();
    readTrainingArguments({}, 'c', undefined, names);
    expect(names.size).toBeGreaterThan(30);
    for (const name of names) expect(KNOWN_SETTINGS.has(name), name).toBe(false);
  });
});

describe("PEFT's options that change what is computed", () => {
  test.each([
    ['layer_replication', [[0, 2]], /replicate the layers in the model itself/],
    ['trainable_token_indices', [1, 2], /peft_type FULL/],
    ['trainable_token_indices', { embed_tokens: [1] }, /peft_type FULL/],
    ['alora_invocation_tokens', [5, 6], /every token/],
    ['kasa_config', { beta: 1 }, /kasa_config/],
  ])('%s at %j is refused for every method', (name, value, nextStep) => {
    for (const peft_type of ['LORA', 'IA3', 'PREFIX_TUNING', 'FULL']) {
      const read = () => parsePeftConfig(JSON.stringify({ peft_type, [name]: value }));
      expect(read).toThrow(nextStep);
      expect(read).toThrow(
        expect.objectContaining({
          code: 'unsupported-option',
          message: expect.stringMatching(new RegExp(`^adapter_config.json: ${name} is [^.]`)),
          details: expect.objectContaining({ field: name, allowed: 'null' }),
        }),
      );
    }
  });

  test.each([
    ...['exclude_modules', 'layer_replication', 'trainable_token_indices', 'layers_pattern'],
    ...['alora_invocation_tokens', 'modules_to_save', 'kasa_config'],
  ])('%s passes at null, false and empty', (name) => {
    for (const value of [null, false, '', [], {}])
      expect(parsePeftConfig(JSON.stringify({ [name]: value }))).toMatchObject({ r: 8 });
  });

  test('that say which layers count where the method has them, are told or refused where it has not', () => {
    const read = (settings: JsonObject) => parseRecipeFile(JSON.stringify(settings), 'c.json');
    const chosen = { exclude_modules: ['lm_head'], rank_pattern: { q_proj: 4 } };
    expect(read(chosen)).toMatchObject({ peft: chosen, warnings: [] });
    expect(read({ peft_type: 'IA3', ...chosen }).warnings).toEqual([
      'c.json: rank_pattern is not used: peft_type IA3 has no such option.',
    ]);
    expect(read({ peft_type: 'FULL', rank_pattern: {}, alpha_pattern: null }).warnings).toEqual([]);
    for (const peft_type of ['PREFIX_TUNING', 'FULL'])
      for (const [name, value] of [
        ['exclude_modules', ['k_proj']],
        ['layers_to_transform', 0],
        ['layers_pattern', 'layers'],
      ] as const)
        expect(() => read({ peft_type, [name]: value })).toThrow(
          new RegExp(
            `^c.json: ${name} is .*: leave it out, peft_type ${peft_type} has no such option`,
          ),
        );
  });
});
