/**
 * Plan: recipes as LLaMA-Factory and axolotl document them, written for this test, are read to settings that are
 * compared in full, and what is passed over is told name by name; defaults of the two are assumed nowhere; what makes
 * a run another training, or contradicts itself, is refused under the file's own name. Each with its control.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  DEFAULT_LORA_CONFIG,
  DEFAULT_TRAINING_ARGUMENTS,
  FULL_TUNING,
  LINEAR_MODULES,
  parseRecipeFile,
  parseSettingsObject,
  readRecipe,
  type JsonObject,
} from '$lib/config';

const read = (settings: object) => parseRecipeFile(JSON.stringify(settings), 'c.json');

async function readFile(name: string) {
  const text = readFileSync(new URL(`./recipes/${name}`, import.meta.url), 'utf8');
  return readRecipe(await parseSettingsObject(text, name), name);
}

describe('a documented recipe is read in full:', () => {
  test('LLaMA-Factory, LoRA', async () => {
    const { peft, args, says, unused } = await readFile('llama-factory-lora.yaml');
    expect(peft).toEqual({
      ...DEFAULT_LORA_CONFIG,
      ...{ r: 16, lora_alpha: 32, lora_dropout: 0.05, use_rslora: true },
      target_modules: ['q_proj', 'v_proj'],
    });
    expect(args).toEqual({
      ...DEFAULT_TRAINING_ARGUMENTS,
      ...{ loraplus_lr_ratio: 16, max_length: 1024, packing: true, logging_steps: 10 },
      ...{ save_steps: 200, per_device_train_batch_size: 2, gradient_accumulation_steps: 8 },
      ...{ learning_rate: 1e-4, num_train_epochs: 2, lr_scheduler_type: 'cosine' },
      ...{ warmup_ratio: 0.1, neftune_noise_alpha: 5, per_device_eval_batch_size: 1 },
      ...{ eval_strategy: 'steps', eval_steps: 100, early_stopping_patience: 3 },
    });
    expect(says).toEqual({ peft: true, training: true });
    expect(unused.map(({ name }) => name)).toEqual([
      ...['model_name_or_path', 'dataset', 'template', 'max_samples', 'bf16', 'val_size'],
    ]);
  });

  test('LLaMA-Factory, 4 bits and PiSSA', async () => {
    const { peft, args, unused } = await readFile('llama-factory-qlora.yaml');
    expect(peft).toEqual({
      ...DEFAULT_LORA_CONFIG,
      target_modules: [...LINEAR_MODULES],
      init_lora_weights: 'pissa_niter_4',
    });
    expect(args).toEqual({
      ...DEFAULT_TRAINING_ARGUMENTS,
      ...{ load_in_4bit: true, max_length: 2048, train_on_prompt: true, shuffle: false },
      ...{ gradient_checkpointing: true, save_strategy: 'epoch', per_device_train_batch_size: 1 },
      ...{ gradient_accumulation_steps: 4, lr_scheduler_type: 'cosine', warmup_steps: 20 },
      fp16: true,
    });
    expect(unused.map(({ name }) => name)).toEqual(['model_name_or_path', 'dataset', 'template']);
  });

  test('LLaMA-Factory, every parameter', async () => {
    const { peft, args, unused } = await readFile('llama-factory-full.yaml');
    expect(peft).toEqual(FULL_TUNING);
    expect(args).toEqual({
      ...DEFAULT_TRAINING_ARGUMENTS,
      ...{ max_length: 512, per_device_train_batch_size: 1, gradient_accumulation_steps: 2 },
      ...{ learning_rate: 1e-5, num_train_epochs: 1 },
    });
    expect(unused.map(({ name }) => name)).toEqual([
      ...['model_name_or_path', 'deepspeed', 'dataset', 'template', 'pure_bf16'],
    ]);
  });

  test('axolotl, LoRA', async () => {
    const { peft, args, unused } = await readFile('axolotl-lora.yml');
    expect(peft).toEqual({
      ...DEFAULT_LORA_CONFIG,
      ...{ r: 16, lora_alpha: 32, lora_dropout: 0.05 },
      target_modules: ['q_proj', 'k_proj', 'down_proj'],
    });
    expect(args).toEqual({
      ...DEFAULT_TRAINING_ARGUMENTS,
      ...{ max_length: 2048, packing: true, gradient_accumulation_steps: 2 },
      ...{ per_device_train_batch_size: 4, num_train_epochs: 2, optim: 'adamw_bnb_8bit' },
      ...{ lr_scheduler_type: 'cosine', learning_rate: 2e-4, gradient_checkpointing: true },
      ...{ logging_steps: 1, warmup_steps: 10, weight_decay: 0.01, save_strategy: 'epoch' },
      // Four an epoch, of two epochs.
      ...{ eval_strategy: 'steps', eval_steps: 1 / 8 },
    });
    expect(args.train_on_prompt).toBe(false);
    expect(unused.map(({ name }) => name)).toEqual([
      ...['base_model', 'datasets', 'val_set_size', 'bf16', 'special_tokens'],
    ]);
  });

  test('axolotl, QLoRA', async () => {
    const { peft, args, unused } = await readFile('axolotl-qlora.yml');
    expect(peft).toEqual({
      ...DEFAULT_LORA_CONFIG,
      ...{ r: 32, lora_alpha: 16, use_dora: true, target_modules: [...LINEAR_MODULES] },
    });
    expect(args).toEqual({
      ...DEFAULT_TRAINING_ARGUMENTS,
      ...{ load_in_4bit: true, max_length: 512, per_device_train_batch_size: 2 },
      ...{ gradient_accumulation_steps: 4, per_device_eval_batch_size: 3, num_train_epochs: 4 },
      ...{ optim: 'paged_adamw_32bit', lr_scheduler_type: 'constant_with_warmup' },
      ...{ learning_rate: 2e-4, train_on_prompt: true, gradient_checkpointing: true },
      // Nothing is held back, so there is nothing to evaluate on.
      ...{ warmup_ratio: 0.05, eval_strategy: 'no', save_steps: 1 / 8 },
    });
    expect(unused.map(({ name }) => name)).toEqual(['base_model', 'datasets']);
  });

  test('axolotl, every parameter: its adapter is left blank', async () => {
    const { peft, args, says, unused } = await readFile('axolotl-full.yml');
    expect(peft).toEqual(FULL_TUNING);
    expect(args).toEqual({
      ...DEFAULT_TRAINING_ARGUMENTS,
      ...{ max_length: 256, gradient_accumulation_steps: 8, per_device_train_batch_size: 1 },
      ...{ num_train_epochs: 1, optim: 'adamw_torch_fused', learning_rate: 2e-5, shuffle: false },
      eval_strategy: 'epoch',
    });
    expect(says).toEqual({ peft: true, training: true });
    expect(unused.map(({ name }) => name)).toEqual([
      ...['base_model', 'datasets', 'val_set_size', 'bf16'],
    ]);
  });
});

describe('what only the file says counts:', () => {
  test('an alpha is twice the rank where LLaMA-Factory writes null, and else stays ours', () => {
    expect(read({ lora_rank: 4, lora_alpha: null }).peft).toMatchObject({ r: 4, lora_alpha: 8 });
    expect(read({ lora_rank: 32, lora_alpha: null }).peft).toMatchObject({ lora_alpha: 64 });
    expect(read({ lora_rank: 32, lora_alpha: 3 }).peft).toMatchObject({ lora_alpha: 3 });
    expect(read({ lora_rank: 32 }).peft).toMatchObject({ lora_alpha: 8 });
    expect(read({ r: 32, lora_alpha: null }).peft).toMatchObject({ lora_alpha: 8 });
  });

  test('no name of theirs fills in what it does not say', () => {
    const bare = { stage: 'sft', finetuning_type: 'lora' };
    expect(read(bare)).toMatchObject({ ...read({}), says: { peft: true, training: false } });
    expect(read({ adapter: 'lora' }).peft).toEqual(DEFAULT_LORA_CONFIG);
    expect(read({ pissa_init: true }).peft).toMatchObject({ init_lora_weights: 'pissa' });
    expect(read({ pissa_init: true, pissa_iter: -1 }).peft).toMatchObject({
      init_lora_weights: 'pissa',
    });
    expect(read({ pissa_init: false, pissa_iter: 4 })).toEqual(read({}));
  });

  test.each<[JsonObject, JsonObject, string[]]>([
    [{ lora_target_linear: true }, { target_modules: LINEAR_MODULES }, []],
    [{ lora_target_linear: false }, { target_modules: ['q_proj', 'v_proj'] }, []],
    [
      { lora_target_linear: true, lora_target_modules: ['q_proj'] },
      { target_modules: LINEAR_MODULES },
      [],
    ],
    [
      { lora_target_linear: false, lora_target_modules: ['q_proj'] },
      { target_modules: ['q_proj'] },
      [],
    ],
    [{ adapter: 'qlora' }, { load_in_4bit: true }, []],
    [{ adapter: 'qlora', load_in_4bit: true }, { load_in_4bit: true }, []],
    [{ quantization_bit: 8 }, { load_in_4bit: false }, ['quantization_bit']],
    [{ quantization_bit: 4, load_in_4bit: false }, { load_in_4bit: false }, ['quantization_bit']],
    [{ quantization_method: 'hqq' }, {}, ['quantization_method']],
    [{ batch_size: 8 }, { gradient_accumulation_steps: 1 }, ['batch_size']],
    [{ batch_size: 8, micro_batch_size: 3 }, { gradient_accumulation_steps: 1 }, ['batch_size']],
    [{ packing: true, neat_packing: false }, { packing: true }, []],
    [{ sample_packing: false }, { packing: false }, []],
    [{ gradient_checkpointing: 'offload' }, { gradient_checkpointing: true }, []],
    [{ disable_gradient_checkpointing: true }, { gradient_checkpointing: false }, []],
    [{ val_size: 0 }, {}, []],
    [{ val_set_size: 200 }, {}, ['val_set_size']],
    [{ wandb_project: 'a', wandb_mode: 'b', swanlab_mode: 'c' }, {}, []],
    [{ finetuning_type: 'full', lora_rank: 4 }, { peft_type: 'FULL' }, ['lora_rank']],
    [{ adapter: null, lora_r: 4 }, { peft_type: 'FULL' }, ['lora_r']],
    [{ adapter: null, peft_type: 'LORA' }, { peft_type: 'LORA' }, []],
    [{ stage: 'pt' }, {}, []],
  ])('%j', (settings, expected, told) => {
    const { peft, args, unused } = read(settings);
    expect({ ...peft, ...args }).toMatchObject(expected);
    expect(unused.map(({ name }) => name)).toEqual(told);
  });

  test.each<[JsonObject, unknown[], string[]]>([
    [{ evals_per_epoch: 0 }, ['no', null, 'steps', 500], []],
    [{ evals_per_epoch: 1 }, ['epoch', null, 'steps', 500], []],
    [{ evals_per_epoch: 2, num_epochs: 5 }, ['steps', 1 / 10, 'steps', 500], []],
    // The epochs of a run that names none are three.
    [{ evals_per_epoch: 2 }, ['steps', 1 / 6, 'steps', 500], []],
    [{ evals_per_epoch: 2, val_set_size: 0 }, ['no', null, 'steps', 500], []],
    [{ evals_per_epoch: 2, val_set_size: 0.1 }, ['steps', 1 / 6, 'steps', 500], ['val_set_size']],
    [{ evals_per_epoch: 2, eval_strategy: 'no' }, ['no', null, 'steps', 500], ['evals_per_epoch']],
    [{ saves_per_epoch: 1 }, ['no', null, 'epoch', 500], []],
    [{ saves_per_epoch: 4, num_epochs: 1 }, ['no', null, 'steps', 0.25], []],
    [
      { saves_per_epoch: 4, save_strategy: 'epoch' },
      ['no', null, 'epoch', 500],
      ['saves_per_epoch'],
    ],
  ])('so many times an epoch: %j', (settings, expected, told) => {
    const { args, unused } = read(settings);
    const { eval_strategy, eval_steps, save_strategy, save_steps } = args;
    expect([eval_strategy, eval_steps, save_strategy, save_steps]).toEqual(expected);
    expect(unused.map(({ name }) => name)).toEqual(told);
  });
});

describe('is refused under its own name:', () => {
  test.each([
    [{ stage: 'dpo' }, 'c.json: stage is "dpo", which is not supported; supported: sft, pt.'],
    [
      { finetuning_type: 'freeze' },
      'finetuning_type is "freeze", which is not supported; supported: lora, full.',
    ],
    [
      { adapter: 'llama-adapter' },
      'adapter is "llama-adapter", which is not supported; supported: lora, qlora, null.',
    ],
    [
      { adapter: 'qlora', load_in_4bit: false },
      'load_in_4bit is false, which is not supported; supported: true with adapter qlora',
    ],
    [
      { rl: 'dpo' },
      'rl is "dpo", which is not supported; only null is: leave it out, a run learns from answers',
    ],
    [{ use_galore: true }, 'use_galore is true'],
    [{ unfrozen_parameters: ['lm_head'] }, 'unfrozen_parameters is ["lm_head"]'],
    [{ additional_target: 'embed_tokens,lm_head' }, 'additional_target is "embed_tokens,lm_head"'],
    [{ lora_modules_to_save: ['lm_head'] }, 'lora_modules_to_save is ["lm_head"]'],
    [{ peft_layer_replication: [[0, 2]] }, 'peft_layer_replication is [[0,2]]'],
    [
      { lora_target_linear: true, lora_target_modules: ['lm_head'] },
      'lora_target_modules names "lm_head"',
    ],
    [{ lora_fan_in_fan_out: true }, 'lora_fan_in_fan_out is true'],
    [{ pissa_init: true, pissa_iter: 0 }, 'pissa_init is "pissa_niter_0"'],
    [{ optimizer: 'lion_8bit' }, 'optimizer is "lion_8bit", one of adamw_torch'],
    [
      { optimizer: 'adamw_torch_8bit' },
      'optimizer is "adamw_torch_8bit", which is not supported; supported: adamw_8bit',
    ],
    [{ lr_scheduler: 'rex' }, 'lr_scheduler is "rex", one of linear'],
    [{ evals_per_epoch: 1.5 }, 'evals_per_epoch is 1.5, a whole number from 0 is needed'],
    [{ saves_per_epoch: 'often' }, 'saves_per_epoch is "often", a whole number from 0 is needed'],
    [{ quantization_bit: 4, quantization_type: 'fp4' }, 'quantization_type is "fp4"'],
    [{ quantization_bit: 4, double_quantization: false }, 'double_quantization is false'],
    [{ sequence_len: 1 }, 'sequence_len is 1, it must be at least 2'],
    [{ micro_batch_size: 0 }, 'micro_batch_size is 0'],
  ])('%j', (settings, message) => {
    expect(() => read(settings)).toThrow(message);
    expect(() => read(settings)).toThrow(
      expect.objectContaining({
        details: expect.objectContaining({ fileName: 'c.json' }) as object,
      }),
    );
  });

  test('but not where it is off', () => {
    const off = { rl: null, use_galore: false, relora: false, unfrozen_parameters: [] };
    const none = { additional_target: null, lora_modules_to_save: [], lora_fan_in_fan_out: false };
    expect(read({ stage: 'sft', ...off, ...none })).toMatchObject({
      ...{ peft: DEFAULT_LORA_CONFIG, args: DEFAULT_TRAINING_ARGUMENTS, unused: [] },
    });
  });
});
