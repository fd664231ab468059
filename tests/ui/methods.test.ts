/**
 * Plan: what a method, a preset and the guide put into a request. Each card is the PEFT config of its name;
 * every rate begins inside its range; a preset is known again, and sets nothing but what it names; each set
 * of answers has a method, and each method can be reached; a number of another method cannot hold a run back.
 */
import { expect, test } from 'vitest';
import {
  COMMON_RECIPE,
  DEFAULT_IA3_CONFIG,
  DEFAULT_PREFIX_CONFIG,
  LR_SCHEDULER_TYPES,
  readPeftConfig,
} from '../../src/lib/config';
import { adviseMethod, ANSWERS, METHOD_OF, type Advice } from '../../src/lib/state/method-advice';
import { METHODS, peftOf, RATES } from '../../src/lib/state/methods';
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
