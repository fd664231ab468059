/**
 * Plan: what a method, a preset and the guide put into a request. Each card is the PEFT config of its name;
 * every rate begins inside its range; a preset is known again, and sets nothing but what it names; each set
 * of answers has a method, and each method can be reached; each advice leaves a form that is wholly that advice,
 * whatever was advised before, and nothing else of it changed; a number of another method cannot hold a run back.
 */
import { expect, test } from 'vitest';
import {
  COMMON_RECIPE,
  DEFAULT_IA3_CONFIG,
  DEFAULT_PREFIX_CONFIG,
  LINEAR_MODULES,
  LR_SCHEDULER_TYPES,
  readPeftConfig,
} from '../../src/lib/config';
import { withAdvice, type TrainingAdvice } from '../../src/lib/state/advised-form';
import { adviseMethod, ANSWERS, METHOD_OF, type Advice } from '../../src/lib/state/method-advice';
import { METHODS, peftOf, RATES, withPeft, type Method } from '../../src/lib/state/methods';
import { PRESETS, presetOf, withPreset } from '../../src/lib/state/presets';
import { mainOptions, moreGroups } from '../../src/lib/state/recipe-groups';
import { LIMITS, optionsOf } from '../../src/lib/state/recipe-limits';

const options = {
  lora: COMMON_RECIPE.lora,
  ia3: DEFAULT_IA3_CONFIG,
  prefix: DEFAULT_PREFIX_CONFIG,
};
const recipe = { ...COMMON_RECIPE, method: 'lora' as const };

test.each(METHODS)('%s: a config that reads as itself', (method) => {
  const peft = peftOf({ ...options, method });
  expect(readPeftConfig({ ...peft }, 'request')).toEqual(peft);
});

test('DoRA shares the options of LoRA, but for a start that PEFT refuses with it', () => {
  const lora = { ...options.lora, r: 24, init_lora_weights: 'pissa' as const };
  expect(peftOf({ ...options, lora, method: 'dora' })).toEqual({
    ...lora,
    use_dora: true,
    init_lora_weights: true,
  });
  expect(peftOf({ ...options, lora, method: 'lora' })).toBe(lora);
});

test.each(['lora', 'dora'] as const)('%s offers the starts that its validator takes', (method) => {
  const offered = moreGroups(method)
    .flatMap(({ items }) => items)
    .flatMap((item) =>
      item.kind === 'choice' && item.name === 'init_lora_weights' ? item.values : [],
    );
  expect(offered.slice(0, 3)).toEqual(['true', 'gaussian', 'orthogonal']);
  for (const value of [
    'true',
    'false',
    'gaussian',
    'orthogonal',
    'pissa',
    'pissa_niter_4',
    'olora',
  ]) {
    const init_lora_weights = value === 'true' || (value === 'false' ? false : value);
    const read = () =>
      readPeftConfig({ ...options.lora, use_dora: method === 'dora', init_lora_weights }, 'form');
    if (!offered.includes(value)) expect(read, value).toThrow(/with use_dora/);
    else {
      const peft = read();
      expect(peft).toMatchObject({ init_lora_weights });
      expect(peftOf(withPeft({ ...options, method: 'ia3' }, peft))).toEqual(peft);
    }
  }
});

test.each(METHODS)('%s: the rate to begin with lies in its range', (method) => {
  const { low, usual, high } = RATES[method];
  expect(usual).toBeGreaterThanOrEqual(low);
  expect(usual).toBeLessThanOrEqual(high);
});

test('the common recipe is the balanced preset, and an edit is none', () => {
  expect(presetOf(recipe)).toBe('balanced');
  expect(presetOf({ ...recipe, lora: { ...recipe.lora, r: 12 } })).toBeUndefined();
  expect(presetOf({ ...recipe, method: 'ia3' })).toBeUndefined();
});

test.each(PRESETS)('%s is known again and leaves rate, batch and length alone', (preset) => {
  const own = { learning_rate: 4e-3, per_device_train_batch_size: 2, max_length: 77 };
  const found = withPreset({ ...recipe, training: { ...recipe.training, ...own } }, preset);
  expect(presetOf(found)).toBe(preset);
  expect(found.training).toMatchObject(own);
});

test('a preset speaks of LoRA: DoRA stays, prefix tuning gives way', () => {
  expect(withPreset({ ...recipe, method: 'dora' as const }, 'quick').method).toBe('dora');
  expect(withPreset({ ...recipe, method: 'prefix' as const }, 'quick').method).toBe('lora');
});

test('every set of answers has a method, and every method is reached', () => {
  const reached = new Set<Advice>();
  for (const task of ANSWERS.task)
    for (const data of ANSWERS.data)
      for (const device of ANSWERS.device) reached.add(adviseMethod({ task, data, device }));
  expect([...reached].sort()).toEqual(['prompting', ...Object.keys(METHOD_OF)].sort());
});

/** Edited where the guide has no say. */
const edited = {
  method: 'dora' as Method,
  lora: { ...options.lora, r: 12 },
  ia3: { ...options.ia3, target_modules: ['k_proj'] as const },
  prefix: { ...options.prefix, num_virtual_tokens: 7 },
  training: { ...COMMON_RECIPE.training, learning_rate: 3e-4, max_length: 77, seed: 5 },
};
const { target_modules: common } = COMMON_RECIPE.lora;

test.each<[TrainingAdvice, object]>([
  [{ advice: 'lora', data: 'little' }, { lora: { ...edited.lora, target_modules: common } }],
  [{ advice: 'qlora', data: 'much' }, { lora: { ...edited.lora, target_modules: LINEAR_MODULES } }],
  [{ advice: 'ia3', data: 'little' }, { ia3: DEFAULT_IA3_CONFIG }],
  [{ advice: 'prefix', data: 'little' }, {}],
  [{ advice: 'full', data: 'much' }, {}],
])('%j after any other: the form is that advice, and the rest as it was', (given, options) => {
  const expected = {
    ...edited,
    method: METHOD_OF[given.advice],
    ...options,
    training: {
      ...edited.training,
      load_in_4bit: given.advice === 'qlora',
      num_train_epochs: given.data === 'little' ? 5 : 3,
    },
  };
  for (const before of Object.keys(METHOD_OF) as TrainingAdvice['advice'][]) {
    const form = withAdvice(withAdvice(edited, { advice: before, data: 'much' }), given);
    // Options of a method that is left stay for when it is chosen again.
    const left = { lora: form.lora, ia3: form.ia3, ...options };
    expect(form, `after ${before}`).toEqual({ ...expected, ...left });
  }
  expect(withAdvice(edited, given)).toEqual(expected);
});

test('LoRA after QLoRA leaves no base in four bits', () => {
  const first = withAdvice(edited, { advice: 'qlora', data: 'much' });
  expect(first.training.load_in_4bit).toBe(true);
  expect(first.lora.target_modules).toEqual(LINEAR_MODULES);
  const then = withAdvice(first, { advice: 'lora', data: 'much' });
  expect(then.training.load_in_4bit).toBe(false);
  expect(then.lora.target_modules).toEqual(common);
});

test('a recipe that was tuned for the data decides on layers and epochs', () => {
  const tuned = {
    lora: { ...COMMON_RECIPE.lora, target_modules: LINEAR_MODULES },
    training: { ...COMMON_RECIPE.training, num_train_epochs: 8 },
  };
  const form = withAdvice(edited, { advice: 'lora', data: 'little' }, tuned);
  expect(form.lora).toEqual({ ...edited.lora, target_modules: LINEAR_MODULES });
  expect(form.training).toEqual({ ...edited.training, num_train_epochs: 8 });
});

test('each number stands once on the page of a method that has it, and on no other', () => {
  const all = new Set<string>();
  for (const method of METHODS)
    for (const schedule of LR_SCHEDULER_TYPES) {
      const shown = [
        ...mainOptions(method),
        ...moreGroups(method, schedule).flatMap(({ items }) =>
          items.flatMap((item) => (item.kind === 'number' ? [item.name] : [])),
        ),
      ];
      expect(shown.toSorted(), method).toEqual(optionsOf(method, schedule).toSorted());
      for (const name of shown) all.add(name);
    }
  expect(optionsOf('full')).not.toContain('r');
  expect(all).toEqual(new Set(Object.keys(LIMITS)));
});
