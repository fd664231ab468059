import { describe, expect, it } from 'vitest';
import {
  COMMON_RECIPE,
  LINEAR_MODULES,
  loraScale,
  readLoraConfig,
  readPeftConfig,
  readTrainingArguments,
  type JsonObject,
} from '$lib/config';
import { Xoshiro128 } from '$lib/config/random';

describe('LoRA settings', () => {
  it("have PEFT's defaults and the page's own recipe", () => {
    expect(readLoraConfig({}, 'c')).toMatchObject({ r: 8, lora_alpha: 8, bias: 'none' });
    expect(COMMON_RECIPE.lora).toMatchObject({ r: 16, lora_alpha: 32, lora_dropout: 0.05 });
    expect(COMMON_RECIPE.training).toMatchObject({ learning_rate: 2e-4, num_train_epochs: 3 });
  });

  it('read all-linear, a list, and the full paths that PEFT writes for all-linear', () => {
    expect(readLoraConfig({ target_modules: 'all-linear' }, 'c').target_modules).toEqual(
      LINEAR_MODULES,
    );
    expect(readLoraConfig({ target_modules: ['v_proj', 'q_proj'] }, 'c').target_modules).toEqual([
      'q_proj',
      'v_proj',
    ]);
    const paths = ['model.layers.1.mlp.up_proj', 'model.layers.0.mlp.up_proj'];
    expect(readLoraConfig({ target_modules: paths }, 'c').target_modules).toEqual(paths.toSorted());
  });

  it('keep which layers, and which ranks and alphas, as they are written', () => {
    const settings = {
      ...{ target_modules: ['q_proj', 'layers.1.mlp.up_proj'], exclude_modules: ['1.q_proj', 'a'] },
      ...{ layers_to_transform: [1, 0], layers_pattern: 'layers' },
      ...{ rank_pattern: { v_proj: 4, '.*q.*': 2 }, alpha_pattern: { '^model': 0.5 } },
    };
    const read = readLoraConfig(settings, 'c');
    expect(read).toMatchObject({ ...settings, target_modules: settings.target_modules.toSorted() });
    expect(Object.keys(read.rank_pattern!)).toEqual(['v_proj', '.*q.*']);
    expect(readLoraConfig(JSON.parse(JSON.stringify(read)) as JsonObject, 'c')).toEqual(read);
    const text = { target_modules: '.*\\.q_proj', exclude_modules: '.*1.*' };
    expect(readLoraConfig(text, 'c')).toMatchObject(text);
    expect(readLoraConfig({ layers_to_transform: 0 }, 'c').layers_to_transform).toBe(0);
    expect(readPeftConfig({ ...text, peft_type: 'IA3' }, 'c')).toMatchObject(text);
  });

  it('leave out what PEFT writes where nothing was chosen', () => {
    const empty = {
      ...{ exclude_modules: null, layers_to_transform: [], layers_pattern: '' },
      ...{ rank_pattern: {}, alpha_pattern: null },
    };
    expect(readLoraConfig(empty, 'c')).toEqual(readLoraConfig({}, 'c'));
  });

  it.each([true, false, 'gaussian', 'orthogonal'])(
    'start at %j with DoRA, and at any rank that can be read',
    (init_lora_weights) => {
      const settings = { use_dora: true, init_lora_weights, r: 2048 };
      expect(readLoraConfig(settings, 'c.json')).toMatchObject(settings);
    },
  );

  it('scale by alpha / r, or alpha / sqrt(r) when rank-stabilised', () => {
    expect(loraScale({ r: 16, lora_alpha: 32, use_rslora: false })).toBe(2);
    expect(loraScale({ r: 16, lora_alpha: 32, use_rslora: true })).toBe(8);
  });

  it.each([
    [{ r: 0 }, /r is 0, it must be at least 1/],
    [{ r: 1.5 }, /r is 1.5, a whole number/],
    [{ lora_dropout: 1 }, /lora_dropout is 1/],
    [{ target_modules: ['lm_head'] }, /"lm_head"; allowed are all-linear/],
    [{ target_modules: [] }, /target_modules is \[\]/],
    [{ peft_type: 'ADALORA' }, /peft_type is "ADALORA".*LORA, IA3, PREFIX_TUNING, FULL/],
    [{ init_lora_weights: 'eva' }, /init_lora_weights is "eva".*pissa/],
    [
      { use_dora: true, init_lora_weights: 'pissa' },
      /init_lora_weights is "pissa".*supported: true, gaussian, orthogonal, false with use_dora\./,
    ],
    [{ peft_type: 'IA3', feedforward_modules: ['q_proj'] }, /feedforward_modules is \["q_proj"\]/],
    [{ peft_type: 'PREFIX_TUNING', num_virtual_tokens: 0 }, /num_virtual_tokens is 0/],
    [{ peft_type: 'PREFIX_TUNING', prefix_projection: true }, /prefix_projection is true/],
    [{ bias: 'some' }, /bias is "some", one of none, all, lora_only/],
    [{ target_modules: ['model.norm'] }, /names "model.norm"; .*paths that end in one of them/],
    [{ target_modules: 'lm_head' }, /"lm_head"; allowed are all-linear/],
    [{ target_modules: ['q_proj', 7] }, /target_modules names 7/],
    [
      { target_modules: '.*(a)\\1' },
      /target_modules has .*, a regular expression that has a backref/,
    ],
    [{ exclude_modules: '(?<=x).*' }, /exclude_modules has .* a lookbehind/],
    [{ exclude_modules: [7] }, /exclude_modules is 7/],
    [{ exclude_modules: { a: 1 } }, /exclude_modules is {"a":1}, a text or a list of texts/],
    [{ layers_to_transform: -1 }, /layers_to_transform is -1, an index/],
    [{ layers_to_transform: [1.5] }, /layers_to_transform is \[1.5\]/],
    [
      { layers_to_transform: [1], target_modules: '.*q_proj' },
      /layers_to_transform is .*with a text in target_modules PEFT takes none/,
    ],
    [
      { layers_to_transform: 1, target_modules: 'all-linear' },
      /layers_to_transform is .*with a text in target_modules PEFT takes none/,
    ],
    [
      { layers_pattern: 'layers' },
      /layers_pattern is "layers".*only null is: it says where layers_to_transform counts/,
    ],
    [{ layers_to_transform: 1, layers_pattern: 'a|b' }, /layers_pattern is "a\|b".*A-Z, a-z/],
    [
      { rank_pattern: { q_proj: 0 } },
      /c.json \(rank_pattern\): "q_proj" is 0, it must be at least 1/,
    ],
    [{ rank_pattern: { q_proj: 1.5 } }, /\(rank_pattern\): "q_proj" is 1.5, a whole number/],
    [
      { rank_pattern: { q_proj: 1025 }, init_lora_weights: 'pissa' },
      /"q_proj" is 1025, it must be at least 1 and at most 1024/,
    ],
    [{ rank_pattern: ['q_proj'] }, /rank_pattern is \["q_proj"\], an object/],
    [{ rank_pattern: { 'a(': 1 } }, /rank_pattern has "a\(".* a \( without its \)/],
    [{ alpha_pattern: { q_proj: 0 } }, /\(alpha_pattern\): "q_proj" is 0, it must be above 0/],
    [{ alpha_pattern: { q_proj: '8' } }, /\(alpha_pattern\): "q_proj" is "8", a finite number/],
    [
      { peft_type: 'IA3', layers_to_transform: 1 },
      /layers_to_transform is 1.*peft_type IA3 has no such/,
    ],
    [
      { peft_type: 'IA3', target_modules: '.*_proj', feedforward_modules: '(' },
      /feedforward_modules/,
    ],
    [
      { peft_type: 'FULL', exclude_modules: ['lm_head'] },
      /exclude_modules.*peft_type FULL has no such/,
    ],
    [{ modules_to_save: ['lm_head'] }, /modules_to_save/],
  ])('refuse %j by name', (settings, message) =>
    expect(() => readPeftConfig(settings, 'c.json')).toThrow(message),
  );
});

describe('training arguments', () => {
  it('keep all checkpoints unless save_total_limit says how many, as the Trainer does', () => {
    const limitOf = (save_total_limit?: number | null) =>
      readTrainingArguments({ save_total_limit }, 'c').save_total_limit;
    expect([limitOf(), limitOf(null), limitOf(0), limitOf(-1), limitOf(2)]).toEqual([
      ...[null, null, null, null],
      2,
    ]);
    expect(COMMON_RECIPE.training.save_total_limit).toBe(3);
    expect(() => readTrainingArguments({ save_total_limit: 1.5 }, 'c')).toThrow(
      /save_total_limit is 1.5, a whole number/,
    );
  });

  it('read a fraction in warmup_steps as transformers 5 does, and the older warmup_ratio', () => {
    expect(readTrainingArguments({ warmup_steps: 0.1 }, 'c')).toMatchObject({
      warmup_steps: 0,
      warmup_ratio: 0.1,
    });
    expect(readTrainingArguments({ warmup_ratio: 0.2 }, 'c').warmup_ratio).toBe(0.2);
    expect(readTrainingArguments({ warmup_steps: 3 }, 'c').warmup_steps).toBe(3);
  });

  it.each([
    [{ learning_rate: '1e-4' }, /learning_rate is "1e-4"/],
    [{ learning_rate: -1 }, /learning_rate is -1/],
    [{ num_train_epochs: 0 }, /num_train_epochs is 0, it must be above 0/],
    [{ lr_scheduler_type: 'step' }, /lr_scheduler_type is "step"/],
    [{ per_device_train_batch_size: 0 }, /per_device_train_batch_size is 0/],
    [{ adam_beta1: 1 }, /adam_beta1 is 1/],
  ])('refuse %j by name', (settings, message) =>
    expect(() => readTrainingArguments(settings, 'c.json')).toThrow(message),
  );
});

describe('xoshiro128**', () => {
  it('gives the sequence of the reference implementation for a known state', () => {
    // https://prng.di.unimi.it/xoshiro128starstar.c with s = {1, 2, 3, 4}.
    const random = new Xoshiro128(0);
    (random as unknown as { state: Uint32Array }).state.set([1, 2, 3, 4]);
    expect(Array.from({ length: 4 }, () => random.nextUint32())).toEqual([
      11520, 0, 5927040, 70819200,
    ]);
  });

  it('draws below a bound without bias and the same for the same seed', () => {
    const counts = new Array<number>(7).fill(0);
    const random = new Xoshiro128(9);
    for (let i = 0; i < 70_000; i++) counts[random.nextBelow(7)]++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
    expect(new Xoshiro128(5).nextUint32()).toBe(new Xoshiro128(5).nextUint32());
  });
});
