/** config.json of a model, adapter_config.json of an adapter, and the settings of a run. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  COMMON_RECIPE,
  loraScale,
  parseJsonObject,
  parseModelConfig,
  parsePeftConfig,
  parseYamlObject,
  readRecipe,
  readTrainingArguments,
  ropeFrequencies,
} from '$lib/config';
import { runShape } from '$lib/training';
import type { Xoshiro128 } from '$lib/config/random';
import { goldenPath, readJson } from '../goldens';
import { fuzzParser } from './fuzz-parser';
import { mutateJson } from './mutate-json';
import { mutateText } from './mutate-text';

const models = ['llama-tied', 'llama3-scaling', 'mistral-sliding', 'qwen2', 'qwen3'];
const mutate = (random: Xoshiro128, text: string) => mutateJson(random, JSON.parse(text));
const REFUSALS = ['missing-field', 'wrong-type', 'out-of-range', 'not-json'];

describe('hostile settings', () => {
  it('config.json is refused by code or describes a model that can be laid out', async () => {
    const counts = await fuzzParser({
      title: 'config.json',
      samples: models.map((name) => JSON.stringify(readJson(`models/${name}/config.json`))),
      mutate,
      parse: (text) => parseModelConfig(text),
      check(config) {
        const { headCount, kvHeadCount, headDim, layerCount, slidingWindow, eosTokenIds } = config;
        for (const size of [headCount, kvHeadCount, headDim, layerCount, config.hiddenSize])
          expect(Number.isSafeInteger(size) && size > 0).toBe(true);
        expect(headCount % kvHeadCount).toBe(0);
        expect(headDim % 2).toBe(0);
        expect(slidingWindow).toHaveLength(layerCount);
        for (const id of eosTokenIds) expect(Number.isSafeInteger(id)).toBe(true);
        for (const frequency of ropeFrequencies(config))
          expect(Number.isFinite(frequency)).toBe(true);
      },
    });
    expect(counts.accepted).toBeGreaterThan(1000);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining([...REFUSALS, 'unsupported-architecture', 'unsupported-option']),
    );
  });

  it('adapter_config.json is refused by code or names a method with options that can be', async () => {
    const folders = ['lora', 'dora', 'ia3', 'prefix', 'pissa', 'patterns', 'regex'].flatMap(
      (name) =>
        readdirSync(goldenPath('methods'))
          .filter((folder) => folder.startsWith(name))
          .slice(0, 1),
    );
    expect(folders.length).toBeGreaterThan(2);
    const read = (folder: string) =>
      readJson(`methods/${folder}/final-adapter/adapter_config.json`);
    const counts = await fuzzParser({
      title: 'adapter_config.json',
      samples: [
        ...folders.map((folder) => JSON.stringify(read(folder))),
        JSON.stringify({ lora_rank: 8, lora_alpha: 16, lora_target: 'q_proj,v_proj' }),
      ],
      mutate,
      parse: (text) => parsePeftConfig(text),
      check(config) {
        if (config.peft_type === 'LORA') {
          expect(Number.isInteger(config.r) && config.r >= 1).toBe(true);
          expect(Number.isFinite(Math.fround(loraScale(config)))).toBe(true);
          expect(config.lora_dropout).toBeLessThan(1);
        }
        if (config.peft_type === 'PREFIX_TUNING')
          expect(Number.isInteger(config.num_virtual_tokens)).toBe(true);
        if (config.peft_type === 'LORA' || config.peft_type === 'IA3')
          expect(config.target_modules.length).toBeGreaterThan(0);
      },
    });
    expect(counts.accepted).toBeGreaterThan(1000);
  });

  it('training arguments are refused by code or make a run of whole steps', async () => {
    const counts = await fuzzParser({
      title: 'training arguments',
      samples: [
        JSON.stringify({ ...COMMON_RECIPE.training, warmup_ratio: 0.1 }),
        JSON.stringify({
          ...{ cutoff_len: 512, per_gpu_train_batch_size: 2, train_on_inputs: true, max_steps: 9 },
          optim: 'paged_adamw_8bit',
        }),
      ],
      mutate,
      parse: (text) => readTrainingArguments(parseJsonObject(text, 'train.json'), 'train.json'),
      check(args) {
        const { stepsPerEpoch, totalSteps } = runShape(10, args);
        expect(stepsPerEpoch).toBeGreaterThanOrEqual(1);
        expect(Number.isSafeInteger(totalSteps) && totalSteps >= 1).toBe(true);
        for (const value of Object.values(args))
          if (typeof value === 'number') expect(Number.isFinite(Math.fround(value))).toBe(true);
      },
    });
    expect(counts.accepted).toBeGreaterThan(1000);
  });

  it('recipes in YAML are refused by code or make a run, in the time of their length', async () => {
    const folder = new URL('../config/recipes/', import.meta.url);
    const counts = await fuzzParser({
      title: 'recipes in YAML',
      samples: readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8')),
      mutate: (random, text) => mutateText(random, text, YAML_WORDS),
      parse: async (text) => readRecipe(await parseYamlObject(text, 'c.yaml'), 'c.yaml'),
      check({ peft, args, unused }) {
        const { totalSteps } = runShape(10, args);
        expect(Number.isSafeInteger(totalSteps) && totalSteps >= 1).toBe(true);
        if (peft.peft_type === 'LORA') expect(loraScale(peft)).toBeGreaterThan(0);
        for (const { sentence } of unused) expect(sentence.length).toBeLessThan(400);
      },
    });
    expect(counts.accepted).toBeGreaterThan(1000);
    for (const code of ['not-yaml', ...REFUSALS.slice(1, 3)])
      expect(counts.refused[code], code).toBeGreaterThan(10);
  });
});

const YAML_WORDS = [
  ...[
    ': ',
    '- ',
    '? ',
    '\n',
    '\n  ',
    '\t',
    '#',
    '&a ',
    '*a',
    '<<: ',
    '!!int ',
    '!x ',
    '|\n',
    '>-\n',
  ],
  ...[
    '---\n',
    '...\n',
    '%YAML 1.1\n',
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    ',',
    '~',
    '.inf',
    '.nan',
    '0x1F',
  ],
  ...[
    '1e400',
    '-1',
    '010',
    'true',
    'no',
    'null',
    'lora',
    'qlora',
    '__proto__: ',
    'adapter:',
    '\ufeff',
  ],
];
