import { describe, expect, it } from 'vitest';
import {
  COMMON_RECIPE,
  LINEAR_MODULES,
  loraScale,
  readLoraConfig,
  readPeftConfig,
  readTrainingArguments,
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
    const paths = ['model.layers.0.mlp.up_proj', 'model.layers.1.mlp.up_proj'];
    expect(readLoraConfig({ target_modules: paths }, 'c').target_modules).toEqual(['up_proj']);
  });

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
    [{ use_dora: true, init_lora_weights: 'pissa' }, /init_lora_weights is "pissa"/],
    [{ peft_type: 'IA3', feedforward_modules: ['q_proj'] }, /feedforward_modules is \["q_proj"\]/],
    [{ peft_type: 'PREFIX_TUNING', num_virtual_tokens: 0 }, /num_virtual_tokens is 0/],
    [{ peft_type: 'PREFIX_TUNING', prefix_projection: true }, /prefix_projection is true/],
    [{ bias: 'some' }, /bias is "some", one of none, all, lora_only/],
    [{ rank_pattern: { q_proj: 4 } }, /rank_pattern/],
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
