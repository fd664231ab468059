/**
 * Plan: a name of LLaMA-Factory, Unsloth, axolotl or an older transformers counts as the name that it stands for, in
 * silence; our own name wins over it, with a warning where the two differ; a value that is refused is refused under
 * the name in the file. Each with its control.
 */
import { describe, expect, test } from 'vitest';
import { LINEAR_MODULES, parseRecipeFile, spellingsOf, type JsonObject } from '$lib/config';

const read = (settings: object) => parseRecipeFile(JSON.stringify(settings), 'c.json');

/** Alias, a value of it, the setting and what it then is. */
const ALIASES: [string, unknown, string, unknown][] = [
  ['max_seq_length', 512, 'max_length', 512],
  ['cutoff_len', 512, 'max_length', 512],
  ['lora_rank', 4, 'r', 4],
  ['lora_r', 4, 'r', 4],
  ['lora_target', 'all', 'target_modules', LINEAR_MODULES],
  ['lora_target', 'v_proj, k_proj', 'target_modules', ['k_proj', 'v_proj']],
  ['lora_target', 'k_proj', 'target_modules', ['k_proj']],
  ['lora_target', ['k_proj'], 'target_modules', ['k_proj']],
  ['lora_target_modules', ['k_proj'], 'target_modules', ['k_proj']],
  ['per_gpu_train_batch_size', 3, 'per_device_train_batch_size', 3],
  ['per_gpu_eval_batch_size', 3, 'per_device_eval_batch_size', 3],
  ['train_on_inputs', true, 'train_on_prompt', true],
  ['finetuning_type', 'full', 'peft_type', 'FULL'],
  ['lora_target_linear', true, 'target_modules', LINEAR_MODULES],
  ['peft_use_dora', true, 'use_dora', true],
  ['peft_use_rslora', true, 'use_rslora', true],
  ['pissa_init', true, 'init_lora_weights', 'pissa'],
  ['peft_init_lora_weights', 'olora', 'init_lora_weights', 'olora'],
  ['peft_init_lora_weights', 'gaussian', 'init_lora_weights', 'gaussian'],
  ['peft_layers_to_transform', [1], 'layers_to_transform', [1]],
  ['quantization_bit', 4, 'load_in_4bit', true],
  ['sequence_len', 512, 'max_length', 512],
  ['micro_batch_size', 3, 'per_device_train_batch_size', 3],
  ['eval_batch_size', 3, 'per_device_eval_batch_size', 3],
  ['num_epochs', 2, 'num_train_epochs', 2],
  ['optimizer', 'adamw_bnb_8bit', 'optim', 'adamw_bnb_8bit'],
  ['lr_scheduler', 'cosine', 'lr_scheduler_type', 'cosine'],
  ['neat_packing', true, 'packing', true],
  ['sample_packing', true, 'packing', true],
  ['disable_shuffling', true, 'shuffle', false],
  ['curriculum_sampling', true, 'shuffle', false],
  ['disable_gradient_checkpointing', false, 'gradient_checkpointing', true],
  ['evals_per_epoch', 1, 'eval_strategy', 'epoch'],
  ['saves_per_epoch', 1, 'save_strategy', 'epoch'],
];

test.each(ALIASES)('%s at %j is %s', (alias, value, name, expected) => {
  const { peft, args, warnings, says } = read({ [alias]: value });
  const settings = { ...peft, ...args } as JsonObject;
  expect(settings[name]).toEqual(expected);
  expect(settings[name]).not.toEqual({ ...read({}).peft, ...read({}).args }[name as 'seed']);
  expect(warnings).toEqual([]);
  expect(says).toEqual({ peft: name in peft, training: name in args });
  expect(Object.keys(settings)).not.toContain(alias);
});

test('an alias at null, or an empty lora_target, says nothing', () => {
  for (const [alias] of ALIASES) expect(read({ [alias]: null })).toEqual(read({}));
  expect(read({ lora_target: '' })).toEqual(read({}));
  // axolotl passes it on only where it is true; under PEFT's own name false is a start.
  expect(read({ peft_init_lora_weights: false }).peft).toEqual(read({}).peft);
  expect(read({ init_lora_weights: false }).peft).toMatchObject({ init_lora_weights: false });
});

describe('of two names', () => {
  test.each([
    [{ cutoff_len: 9, max_length: 64 }, { max_length: 64 }, 'cutoff_len is not used (it is 9)'],
    [{ max_length: 64, max_seq_length: 9 }, { max_length: 64 }, 'max_seq_length is not used'],
    [{ cutoff_len: 9, max_seq_length: 64 }, { max_length: 64 }, 'cutoff_len is not used'],
    [{ train_on_inputs: false, train_on_prompt: true }, { train_on_prompt: true }, '(it is false)'],
  ])('our own or the first counts, and the other is told: %j', (settings, counts, warning) => {
    const { args, unused, warnings } = read(settings);
    expect(args).toMatchObject(counts);
    expect(warnings).toEqual([expect.stringContaining(warning)]);
    expect(unused[0].meant).toBe(Object.keys(counts)[0]);
  });

  test('nothing is told where both say the same, or where one says null', () => {
    expect(read({ lora_rank: 4, r: 4 })).toMatchObject({ peft: { r: 4 }, warnings: [] });
    expect(read({ lora_rank: 4, r: null })).toMatchObject({ peft: { r: 4 }, warnings: [] });
    expect(read({ lora_target: 'q_proj,v_proj', target_modules: ['q_proj', 'v_proj'] })).toEqual(
      read({ target_modules: ['q_proj', 'v_proj'] }),
    );
  });
});

describe('a value that cannot be is refused under the name in the file', () => {
  test.each([
    [{ cutoff_len: 1 }, 'c.json: cutoff_len is 1, it must be at least 2', 'out-of-range'],
    [{ lora_rank: 'four' }, 'c.json: lora_rank is "four", a finite number', 'wrong-type'],
    [{ train_on_inputs: 'auto' }, 'c.json: train_on_inputs is "auto", true or', 'wrong-type'],
    [{ lora_target: 'q_proj,c_attn' }, 'c.json: lora_target names "c_attn"', 'unsupported-option'],
  ])('%j', (settings, message, code) => {
    const [field] = Object.keys(settings);
    const details = expect.objectContaining({ field }) as object;
    expect(() => read(settings)).toThrow(message);
    expect(() => read(settings)).toThrow(expect.objectContaining({ code, details }));
  });

  test('and of the two under our own where that counts', () => {
    expect(() => read({ max_length: 1, cutoff_len: 64 })).toThrow('c.json: max_length is 1');
  });
});

test('a method that has no rank does not take it from an alias either', () => {
  expect(read({ peft_type: 'IA3', lora_rank: 4 }).warnings).toEqual([
    'c.json: lora_rank is not used: peft_type IA3 has no such option.',
  ]);
});

test('what a file says on a setting can be asked for, what counts first', () => {
  const settings = { cutoff_len: 9, max_length: 64, max_seq_length: null };
  expect(spellingsOf(settings, 'max_length')).toEqual([
    { name: 'max_length', value: 64 },
    { name: 'cutoff_len', value: 9 },
  ]);
  expect(spellingsOf(settings, 'r')).toEqual([]);
});
