/**
 * Plan: what the page saves is what the command line's parser reads, to the same recipe and without a warning, for
 * every method and schedule; PEFT's and the Trainer's own files fill in the part that they speak of; a run and its
 * card give the same settings; what no run could use, this page could not show or is no settings at all is refused
 * by name, in both languages; hostile files are refused or read, and change nothing else.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  COMMON_RECIPE,
  DEFAULT_IA3_CONFIG,
  DEFAULT_PREFIX_CONFIG,
  LR_SCHEDULER_TYPES,
  parseRecipeFile,
  writeRecipeFile,
  type JsonObject,
  type LoraConfig,
  type PeftConfig,
  type TrainingArguments,
} from '../../src/lib/config';
import { Xoshiro128 } from '../../src/lib/config/random';
import { explainError } from '../../src/lib/i18n';
import type { RunSummary } from '../../src/lib/rpc/engine-api';
import {
  METHODS,
  methodOf,
  peftOf,
  withPeft,
  type MethodOptions,
} from '../../src/lib/state/methods';
import {
  MOST_SETTINGS_BYTES,
  parseSettings,
  readSettingsFile,
  settingsOfRun,
} from '../../src/lib/state/read-settings';
import { fitSchedule } from '../../src/lib/state/recipe-schedule';
import { makeRunCard } from '../../src/lib/state/run-card';
import { RUNS } from './stand-in/fixtures';

const { lora, training } = COMMON_RECIPE;
const options: MethodOptions = {
  method: 'lora',
  lora,
  ia3: DEFAULT_IA3_CONFIG,
  prefix: DEFAULT_PREFIX_CONFIG,
};
const parse = (settings: object, name = 'c.json') => parseSettings(JSON.stringify(settings), name);

const WAYS: readonly [string, Partial<LoraConfig>, Partial<TrainingArguments>][] = [
  ['LoRA', {}, {}],
  ['rsLoRA', { use_rslora: true, bias: 'lora_only' }, {}],
  ['LoRA+', {}, { loraplus_lr_ratio: 16 }],
  ['PiSSA', { init_lora_weights: 'pissa_niter_4' }, {}],
  ['OLoRA', { init_lora_weights: 'olora', lora_dropout: 0 }, {}],
  ['an orthogonal start', { init_lora_weights: 'orthogonal' }, {}],
  ['random factors', { init_lora_weights: false }, {}],
  [
    'QLoRA',
    { target_modules: ['q_proj', 'down_proj'] },
    { load_in_4bit: true, optim: 'adamw_8bit' },
  ],
  [
    'LoRA on some layers, with ranks of their own',
    {
      ...{ target_modules: '.*\\.(q|v)_proj', exclude_modules: ['layers.0.self_attn.v_proj'] },
      ...{ rank_pattern: { q_proj: 4 }, alpha_pattern: { '.*1.*': 2.5 } },
    },
    {},
  ],
  [
    'LoRA in some blocks, by paths',
    {
      target_modules: ['0.mlp.up_proj', 'q_proj'],
      layers_to_transform: [0, 3],
      layers_pattern: 'layers',
    },
    {},
  ],
];

describe('what the page saves is what the command line reads', () => {
  const expectSame = (peft: PeftConfig, args: TrainingArguments) => {
    const file = parseRecipeFile(writeRecipeFile(peft, args), 'c.json');
    expect(file).toEqual({
      ...{ peft, args, unused: [], warnings: [] },
      says: { peft: true, training: true },
    });
    // And what it makes of the form is what was saved.
    const read = parseSettings(writeRecipeFile(peft, args), 'c.json');
    expect(peftOf(withPeft(options, read.peft!))).toEqual(peft);
    expect(read.training).toEqual(args);
  };

  test.each(WAYS)('%s', (_, part, args) => {
    expectSame({ ...lora, ...part }, { ...training, ...args });
  });

  test.each(METHODS)('%s', (method) => {
    const peft = peftOf({ ...options, method });
    expect(methodOf(peft)).toBe(method);
    expectSame(peft, training);
  });

  test.each(LR_SCHEDULER_TYPES)('%s', (lr_scheduler_type) => {
    expectSame(lora, fitSchedule({ ...training, lr_scheduler_type }));
  });

  test('with evaluations, early stopping and the best checkpoint', () => {
    expectSame(lora, {
      ...training,
      ...{ eval_strategy: 'steps', eval_steps: 10, save_strategy: 'steps', save_steps: 20 },
      ...{ load_best_model_at_end: true, metric_for_best_model: 'eval_mean_token_accuracy' },
      ...{ early_stopping_patience: 2, neftune_noise_alpha: 5, save_total_limit: null },
    });
  });
});

describe('files of others', () => {
  test("PEFT's adapter_config.json says nothing of the training", () => {
    const {
      peft,
      training: args,
      unused,
    } = parse({
      ...{ base_model_name_or_path: 'x', peft_type: 'LORA', task_type: 'CAUSAL_LM', r: 4 },
      ...{ lora_alpha: 8, inference_mode: true, target_modules: ['v_proj'], modules_to_save: null },
    });
    expect(peft).toMatchObject({ r: 4, lora_alpha: 8, target_modules: ['v_proj'] });
    expect([args, unused]).toEqual([undefined, []]);
  });

  test("the Trainer's arguments say nothing of the method", () => {
    const {
      peft,
      training: args,
      unused,
    } = parse({
      ...{ output_dir: 'out', learning_rate: 1e-3, num_train_epochs: 2, bf16: false },
      ...{ max_seq_length: 512, learning_rte: 1, bf16_full_eval: true, foo: 1 },
    });
    expect(args).toMatchObject({ learning_rate: 1e-3, num_train_epochs: 2, max_length: 512 });
    expect(peft).toBeUndefined();
    expect(unused.map(({ name, meant }) => [name, meant])).toEqual([
      ['learning_rte', 'learning_rate'],
      ['bf16_full_eval', undefined],
      ['foo', undefined],
    ]);
  });
});

describe('a run', () => {
  const run: RunSummary = {
    ...RUNS[0],
    ...{ evalShare: 0.2, evalDatasetId: undefined, leaveOut: ['cut'] },
    startedFrom: { adapterId: 'adapter-0', name: 'First' },
  };

  test('and its card give the same settings', () => {
    const found = settingsOfRun(run, undefined);
    expect(found).toMatchObject({
      peft: run.peft,
      training: run.training,
      run: {
        ...{ evalShare: 0.2, leaveOut: ['cut'], samplePrompts: ['感冒发烧应该怎么办？'] },
        model: { id: 'nano-lm', sha256: 'b'.repeat(64) },
        dataset: { id: 'medical-zh', sha256: 'a'.repeat(64) },
        startedFrom: { adapterId: 'adapter-0' },
      },
    });
    const here = { model: undefined, dataset: undefined, evalDataset: undefined, appVersion: '1' };
    expect(parse(makeRunCard(run, here))).toEqual(found);
  });

  test('has the questions and their rhythm as they are remembered', () => {
    const { run: around } = settingsOfRun(run, {
      ...{ evalShare: 0, samplePrompts: ['Why?'], sampleEvery: 7 },
    });
    expect(around).toMatchObject({ samplePrompts: ['Why?'], sampleEvery: 7, max_new_tokens: 48 });
  });

  test('and its card know what it was asked, questions without an answer too', () => {
    const here = { model: undefined, dataset: undefined, evalDataset: undefined, appVersion: '1' };
    const asked = { samplePrompts: ['Why?', 'How?'], sampleEvery: 5, max_new_tokens: 200 };
    const recorded = { ...run, ...asked };
    expect(settingsOfRun(recorded, undefined).run).toMatchObject(asked);
    expect(parse(makeRunCard(recorded, here)).run).toMatchObject(asked);
    // What an older version remembers beside its record goes into the card as well.
    const told = { samplePrompts: ['Who?'], sampleEvery: 7 };
    const remembered = { evalShare: 0, ...told };
    expect(parse(makeRunCard(run, { ...here, remembered })).run).toMatchObject(told);
    const hostile = { ...makeRunCard(recorded, here), samplePrompts: [7, 'Why?'] };
    expect(parse({ ...hostile, max_new_tokens: 1e9 }).run).toMatchObject({
      ...{ samplePrompts: ['Why?'], max_new_tokens: 48 },
    });
  });

  test('whose card is hostile is refused, or read without what is unsound', () => {
    const card = {
      kind: 'inkstone-run-card',
      peft: lora,
      training,
      model: { id: 'm' },
      data: { id: 'd', evalShare: 'x', leaveOut: [7, 'cut'], evaluation: [] },
      samples: [{ prompt: 7 }, null, { prompt: 'Why?' }],
      startedFrom: { adapterId: {} },
      sampleEvery: -1,
    };
    expect(parse(card).run).toEqual({
      ...{ model: { id: 'm' }, dataset: { id: 'd' }, evalShare: 0, leaveOut: ['cut'] },
      ...{ samplePrompts: ['Why?'], sampleEvery: 0, max_new_tokens: 48 },
    });
    expect(parse({ ...card, model: 7 }).run).toBeUndefined();
    expect(() => parse({ ...card, peft: [] })).toThrow(/card without peft or training/);
    expect(() => parse({ ...card, peft: { r: 'x' } })).toThrow(/r is "x", a finite number/);
  });
});

describe('is refused by name', () => {
  const refuse = (content: string) => {
    try {
      parseSettings(content, 'c.json');
    } catch (error) {
      return (['en', 'zh-CN'] as const).map((locale) => explainError(error, locale).sentence);
    }
    throw new Error('It was read.');
  };

  test.each([
    [
      { r: 'x' },
      /^c\.json: r is "x", a finite number is needed/,
      'c.json：r 现在是 "x"，应当是一个数。',
    ],
    [{ r: 0 }, /r is 0, it must be at least 1/, 'c.json：r 现在是 0，允许的范围是 1 到 2048。'],
    [{ seed: 1.5 }, /a whole number is needed/, 'c.json：seed 现在是 1.5，应当是整数。'],
    [{ shuffle: 'no' }, /true or false/, 'c.json：shuffle 现在是 "no"，应当是 true 或 false。'],
    [{ optim: 'sgd' }, /one of adamw_torch/, /^c\.json：optim 现在是 "sgd"，应当是 adamw_torch, /],
    [{ peft_type: 'VERA' }, /supported: LORA/, /peft_type 现在是 "VERA"，允许的是 LORA, IA3/],
    [{ modules_to_save: ['x'] }, /FULL/, /modules_to_save 现在是 .*允许的是 null/],
    [
      { target_modules: ['x'] },
      /target_modules names "x"/,
      /target_modules 现在是 "x"，允许的是 q_proj/,
    ],
    [
      { target_modules: '.*(a)\\1' },
      /has a backreference \(\\1\) at letter 7; allowed are letters and \. \[/,
      'c.json：选项 target_modules 现在是 ".*(a)\\\\1"，允许的是 . [...] (...) (?:...) | * + ? {m,n} ^ $ \\d \\w \\s \\b (?=...) (?!...)。',
    ],
    [
      { rank_pattern: { q_proj: 0 } },
      /c\.json \(rank_pattern\): "q_proj" is 0, it must be at least 1 and at most 2048/,
      'c.json (rank_pattern)："q_proj" 现在是 0，允许的范围是 1 到 2048。',
    ],
    [
      { target_modules: '.*q_proj', layers_to_transform: [1] },
      /layers_to_transform is \[1\].*name modules in a list/,
      /选项 layers_to_transform 现在是 \[1\]，允许的是 null/,
    ],
    [
      { save_steps: 0.1 },
      /save_steps is 0\.1, on this page it is a whole/,
      /允许的范围是 1 到 1000000 的整数/,
    ],
    [
      { num_train_epochs: 5000 },
      /on this page it is a number from 0\.01 to 1000/,
      /0\.01 到 1000。/,
    ],
    [{ lr_scheduler_type: 'linear', lr_scheduler_kwargs: { power: 2 } }, /takes no power/, /power/],
    [{ peft_type: 'FULL', load_in_4bit: true }, /load_in_4bit/, /load_in_4bit/],
    [{ load_best_model_at_end: true }, /needs an eval_strategy/, /load_best_model_at_end/],
    [{ foo: 1 }, /names no setting of a run\. Choose a file/, /没有读到训练设置/],
    [[], /holds \[\].* Choose a file/, /没有读到训练设置/],
  ])('%j', (settings, english, chinese) => {
    const [en, zh] = refuse(JSON.stringify(settings));
    expect(en).toMatch(english);
    expect(zh).toMatch(chinese);
  });

  test.each([
    ['', /not JSON/],
    ['{', /not JSON/],
    ['r: 4', /not JSON/],
    ['null', /holds null/],
  ])('a file that holds %j', (content, english) => {
    expect(refuse(content)[0]).toMatch(english);
  });

  test('brackets a hundred thousand deep, before anything walks them', () => {
    expect(refuse(`{"r":${'['.repeat(1e5)}`)[0]).toMatch(/nests brackets deeper than 64/);
  });

  test('a file that is too large, before it is read', async () => {
    const file = (size: number) => ({ name: 'c.json', size, text: async () => '{"r":4}' }) as File;
    await expect(readSettingsFile(file(MOST_SETTINGS_BYTES + 1))).rejects.toThrow(/at most/);
    await expect(readSettingsFile(file(7))).resolves.toMatchObject({ peft: { r: 4 } });
  });
});

describe("another program's recipe in YAML", () => {
  const read = (content: string) =>
    readSettingsFile(new File([content], 'c.yaml', { type: 'application/yaml' }));
  const recipe = (name: string) =>
    readFileSync(new URL(`../config/recipes/${name}`, import.meta.url), 'utf8');

  test('fills in the form, with the share that it holds back', async () => {
    const found = await read(recipe('llama-factory-lora.yaml'));
    expect(found).toMatchObject({
      peft: { r: 16, lora_alpha: 32, target_modules: ['q_proj', 'v_proj'] },
      training: { max_length: 1024, eval_strategy: 'steps', eval_steps: 100 },
      evalShare: 0.1,
    });
    expect(found.unused.map(({ name }) => name)).not.toContain('val_size');
    expect((await read('r: 4\nval_size: 0')).evalShare).toBe(0);
    const counted = await read('r: 4\nval_set_size: 200');
    expect(counted.evalShare).toBeUndefined();
    expect(counted.unused.map(({ name }) => name)).toEqual(['val_set_size']);
  });

  test('several times an epoch is once on this page, and told', async () => {
    const { training: args, unused } = await read(recipe('axolotl-lora.yml'));
    expect(args).toMatchObject({ eval_strategy: 'epoch', save_strategy: 'epoch' });
    expect(unused.at(-1)).toEqual({
      name: 'evals_per_epoch',
      sentence:
        "c.yaml: evals_per_epoch is 4, on this page it is 1, at each epoch's end; the command line takes it as it is.",
    });
    const quiet = await read(recipe('axolotl-qlora.yml'));
    expect(quiet.training).toMatchObject({ eval_strategy: 'no', save_strategy: 'epoch' });
    expect(quiet.unused.map(({ name }) => name)).toEqual([
      ...['base_model', 'datasets', 'saves_per_epoch'],
    ]);
  });

  test.each([
    [
      'r: 4\nr: 8',
      /^c\.yaml, line 2 has r a second time\.$/,
      'c.yaml 第 2 行重复写了同一个名字，请只留一处（r）。',
    ],
    ['r: &a 4\nseed: *a', /has the anchor &a/, /第 1 行用了锚点或别名.*（&a）/],
    ['r: !x 4', /has the tag !x/, /第 1 行用了类型标记.*（!x）/],
    ['<<: {r: 4}', /merge key/, /第 1 行用了合并键/],
    ['r: 4\n---\nr: 5', /second document/, /第 2 行开始了第二份文档/],
    [`r: ${'['.repeat(80)}${']'.repeat(80)}`, /nests deeper than 64/, /第 1 行嵌套得太深/],
    ['r: 4\n# '.repeat(20_000), /at most 65536/, /最多 65536 个字符（/],
    ['r: [4', /is not YAML/, /不是 YAML，请检查缩进和冒号/],
    ['- r: 4', /settings with their names.*Choose a file/, /没有读到训练设置/],
    ['foo: 1', /names no setting of a run/, /没有读到训练设置/],
    [
      'finetuning_type: freeze',
      /supported: lora, full\./,
      /finetuning_type 现在是 "freeze"，允许的是 lora, full/,
    ],
    ['evals_per_epoch: 1.5', /a whole number from 0/, /evals_per_epoch 现在是 1.5，应当是整数/],
  ])('is refused by name: %j', async (content, english, chinese) => {
    const error: unknown = await read(content).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(Error);
    expect(explainError(error, 'en').sentence).toMatch(english);
    expect(explainError(error, 'zh-CN').sentence).toMatch(chinese);
  });
});

test('names of every object are names like any other', () => {
  const { peft, unused } = parseSettings(
    '{"r":4,"__proto__":{"lora_alpha":99},"constructor":1,"toString":2}',
    'c.json',
  );
  expect(peft).toMatchObject({ r: 4, lora_alpha: 8 });
  expect(unused.map(({ name }) => name)).toEqual(['__proto__', 'constructor', 'toString']);
  expect(({} as { lora_alpha?: unknown }).lora_alpha).toBeUndefined();
});

test('any value anywhere is read or refused in a sentence', () => {
  const random = new Xoshiro128(9);
  const hostile: readonly unknown[] = [null, -1, 1e99, '', 'x', {}, [], [[]], true, { a: 1 }];
  const whole = JSON.parse(writeRecipeFile(lora, training)) as JsonObject;
  const names = Object.keys(whole);
  let read = 0;
  for (let round = 0; round < 3000; round++) {
    const name = names[random.nextBelow(names.length)];
    try {
      parse({ ...whole, [name]: hostile[random.nextBelow(hostile.length)] });
      read++;
    } catch (error) {
      expect((error as Error).name).toMatch(/^(Config|Inkstone)Error$/);
      expect((error as Error).message).toContain('c.json');
    }
  }
  expect(read).toBeGreaterThan(100);
});
