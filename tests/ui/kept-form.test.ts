/**
 * Plan: a form comes back as it was, for every method and every option (the control); each unsound value falls back
 * to what the form begins with and leaves its neighbours alone; what is no form at all is none; a recipe that nobody
 * edited goes by its name; an import brings a form where none is kept, with the ids of copies.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  COMMON_RECIPE,
  DEFAULT_IA3_CONFIG,
  DEFAULT_PREFIX_CONFIG,
  LR_SCHEDULER_TYPES,
  type TrainingArguments,
} from '../../src/lib/config';
import { Xoshiro128 } from '../../src/lib/config/random';
import { adoptKeepings, collectKeepings } from '../../src/lib/state/keepings';
import {
  shapeKeptForm,
  UNTOUCHED_FORM,
  type KeptForm,
  type KeptOptions,
} from '../../src/lib/state/kept-form';
import { writeLocal } from '../../src/lib/state/local-store';
import { METHODS } from '../../src/lib/state/methods';
import { fitSchedule } from '../../src/lib/state/recipe-schedule';

/** No value is the one that the form begins with. */
const TRAINING: TrainingArguments = {
  ...{ learning_rate: 3e-4, per_device_train_batch_size: 2, gradient_accumulation_steps: 3 },
  ...{ num_train_epochs: 1.5, max_steps: 7, lr_scheduler_type: 'cosine_with_min_lr' },
  ...{ lr_scheduler_kwargs: { num_cycles: 2, min_lr: 1e-6 }, warmup_steps: 4, warmup_ratio: 0.1 },
  ...{ optim: 'adamw_8bit', weight_decay: 0.1, adam_beta1: 0.8, adam_beta2: 0.95 },
  ...{ adam_epsilon: 1e-7, loraplus_lr_ratio: 16, max_grad_norm: 0.5 },
  ...{ label_smoothing_factor: 0.1, neftune_noise_alpha: 5, gradient_checkpointing: true },
  ...{ fp16: true, seed: 7, shuffle: false, group_by_length: true, packing: true },
  ...{ load_in_4bit: true, max_length: 128, train_on_prompt: true, eval_strategy: 'steps' },
  ...{ eval_steps: 5, eval_on_start: true, per_device_eval_batch_size: 3 },
  ...{ logging_strategy: 'epoch', logging_steps: 2, logging_first_step: true },
  ...{ save_strategy: 'steps', save_steps: 15, save_total_limit: null },
  ...{ load_best_model_at_end: true, metric_for_best_model: 'mean_token_accuracy' },
  split_long_text: true,
  ...{ greater_is_better: false, early_stopping_patience: 2, early_stopping_threshold: 0.01 },
} as TrainingArguments;

const OPTIONS: KeptOptions = {
  method: 'ia3',
  lora: {
    ...COMMON_RECIPE.lora,
    ...{ r: 4, lora_alpha: 5, lora_dropout: 0.2, target_modules: ['o_proj'], bias: 'all' },
    ...{ use_rslora: true, init_lora_weights: 'pissa_niter_16' },
  },
  ia3: { ...DEFAULT_IA3_CONFIG, target_modules: ['k_proj', 'up_proj'], feedforward_modules: [] },
  prefix: { ...DEFAULT_PREFIX_CONFIG, num_virtual_tokens: 9 },
  training: TRAINING,
  ...{ rateIsOwn: true, evaluationIsOwn: true, splitIsOwn: true, tunedRate: 4e-3 },
};

const FORM: KeptForm = {
  ...{ modelId: 'm', datasetId: 'd', leaveOut: ['duplicates', 'leaked'], evalSource: 'own' },
  ...{ evalDatasetId: 'e', evalShare: 0.25, samplePrompts: 'a\nb', sampleEvery: 40 },
  max_new_tokens: 200,
  options: OPTIONS,
  start: {
    ...{ adapterId: 'adapter-1-step-4', training: TRAINING },
    ...{ evaluationIsOwn: true, splitIsOwn: true },
  },
};

const reread = (form: unknown) => shapeKeptForm(JSON.parse(JSON.stringify(form)));

describe('a form', () => {
  test('comes back as it was: the control', () => {
    for (const name of Object.keys(COMMON_RECIPE.training) as (keyof TrainingArguments)[])
      expect(TRAINING[name], name).not.toEqual(COMMON_RECIPE.training[name]);
    expect(reread(FORM)).toEqual(FORM);
    for (const method of METHODS)
      expect(reread({ ...FORM, options: { ...OPTIONS, method } })).toMatchObject({
        options: { method },
      });
    for (const init_lora_weights of [false, 'gaussian', 'orthogonal', 'olora'] as const)
      expect(
        reread({ ...FORM, options: { ...OPTIONS, lora: { ...OPTIONS.lora, init_lora_weights } } }),
      ).toMatchObject({ options: { lora: { init_lora_weights } } });
    expect(reread(UNTOUCHED_FORM)).toEqual(UNTOUCHED_FORM);
  });

  test('keeps the options of every schedule', () => {
    for (const lr_scheduler_type of LR_SCHEDULER_TYPES) {
      const training = fitSchedule({ ...TRAINING, lr_scheduler_type });
      expect(reread({ ...FORM, options: { ...OPTIONS, training } })).toEqual({
        ...FORM,
        options: { ...OPTIONS, training },
      });
    }
  });

  test('that nobody edited goes by its name, and any other name is the common one', () => {
    for (const options of ['common', 'recommended'] as const)
      expect(reread({ ...UNTOUCHED_FORM, options })?.options).toBe(options);
    for (const options of ['edited', 7, null, [], undefined])
      expect(reread({ ...UNTOUCHED_FORM, options })?.options).toBe('common');
  });

  test.each([null, 7, 'x', [], [[]], true])('that is %j is none', (value) => {
    expect(shapeKeptForm(value)).toBeUndefined();
  });
});

describe('what is unsound falls back by itself', () => {
  const HOSTILE: readonly unknown[] = [
    null,
    -1,
    1e99,
    'x',
    {},
    [],
    [[]],
    '__proto__',
    { toString: 1 },
    true,
  ];

  test('each argument, and its neighbours stay', () => {
    for (const name of Object.keys(TRAINING) as (keyof TrainingArguments)[]) {
      if (name === 'lr_scheduler_type' || name === 'lr_scheduler_kwargs') continue;
      const training = { ...TRAINING, [name]: { not: 'sound' } };
      const found = reread({ ...FORM, options: { ...OPTIONS, training } })!.options as KeptOptions;
      expect(found.training, name).toEqual({ ...TRAINING, [name]: COMMON_RECIPE.training[name] });
    }
  });

  test.each([
    ['per_device_train_batch_size', 0.5],
    ['per_device_train_batch_size', 1e6],
    ['learning_rate', null],
    ['seed', -1],
    ['optim', 'sgd'],
    ['shuffle', 'false'],
    ['greater_is_better', 'true'],
    ['num_train_epochs', '3'],
  ])('%s at %j', (name, value) => {
    const training = { ...TRAINING, [name]: value };
    const found = reread({ ...FORM, options: { ...OPTIONS, training } })!.options as KeptOptions;
    expect(found.training).toEqual({
      ...TRAINING,
      [name]: Reflect.get(COMMON_RECIPE.training, name),
    });
  });

  test('a schedule keeps what it takes, has what it needs, and one lowest rate', () => {
    const kwargs = { num_cycles: -1, min_lr: 1e-6, min_lr_rate: 0.1, power: 3, constructor: 1 };
    const training = { ...TRAINING, lr_scheduler_kwargs: kwargs };
    const found = reread({ ...FORM, options: { ...OPTIONS, training } })!.options as KeptOptions;
    expect(found.training.lr_scheduler_kwargs).toEqual({ min_lr: 1e-6 });
    const bare = { ...training, lr_scheduler_kwargs: 'x' };
    const mended = reread({ ...FORM, options: { ...OPTIONS, training: bare } })!.options;
    expect((mended as KeptOptions).training.lr_scheduler_kwargs).toEqual({ min_lr_rate: 0.1 });
  });

  test('any value anywhere gives a form of the same shape', () => {
    const random = new Xoshiro128(5);
    for (let round = 0; round < 2000; round++) {
      const form = JSON.parse(JSON.stringify(FORM)) as Record<string, unknown>;
      let place = form;
      for (;;) {
        const names = Object.keys(place);
        const name = names[random.nextBelow(names.length)];
        const next = place[name];
        const isObject = typeof next === 'object' && next !== null && !Array.isArray(next);
        if (isObject && random.nextBelow(4) > 0) place = next as Record<string, unknown>;
        else {
          place[name] = HOSTILE[random.nextBelow(HOSTILE.length)];
          break;
        }
      }
      const found = shapeKeptForm(form)!;
      expect(reread(found)).toEqual(found);
      if (typeof found.options === 'string') continue;
      expect(Object.keys(found.options.training).sort()).toEqual(Object.keys(TRAINING).sort());
    }
  });

  test('a name of every object changes nothing', () => {
    const text = JSON.stringify(FORM).replace('{', '{"__proto__":{"evalShare":0.4},');
    expect(shapeKeptForm(JSON.parse(text))).toEqual(FORM);
    expect(({} as { evalShare?: unknown }).evalShare).toBeUndefined();
  });

  test('questions, shares and rhythms', () => {
    expect(
      reread({ ...FORM, evalShare: 0.9, sampleEvery: 1.5, samplePrompts: ['a'], leaveOut: 'cut' }),
    ).toEqual({ ...FORM, evalShare: 0.1, sampleEvery: 1, samplePrompts: undefined, leaveOut: [] });
    for (const wrong of [0, 4097, 1.5, '200', undefined])
      expect(reread({ ...FORM, max_new_tokens: wrong })).toEqual({ ...FORM, max_new_tokens: 48 });
    const long = reread({ ...FORM, samplePrompts: 'x'.repeat(1e6) })!;
    expect(long.samplePrompts!.length).toBeLessThan(1e5);
  });
});

describe('an import', () => {
  let store: Map<string, string>;
  beforeEach(() => {
    store = new Map();
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => store.get(key) ?? null,
      setItem: (key: string, text: string) => store.set(key, text),
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  test('brings what an export took along, with the ids of copies', () => {
    writeLocal('form', FORM);
    const page = JSON.parse(JSON.stringify(collectKeepings())) as Record<string, unknown>;
    expect(adoptKeepings(page, {}).form).toBeUndefined();
    store.clear();
    expect(adoptKeepings(page, {}).form).toEqual(FORM);
    const newIds = { m: 'm2', d: 'd2', e: 'e2', 'run-1': 'run-9' };
    expect(adoptKeepings(page, newIds).form).toMatchObject({
      ...{ modelId: 'm2', datasetId: 'd2', evalDatasetId: 'e2' },
      start: { adapterId: 'adapter-9-step-4' },
    });
  });
});
