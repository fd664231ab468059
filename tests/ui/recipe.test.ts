/**
 * Plan: every argument of a run has a control, and each a label, a hint and words for its values in both
 * languages; each schedule comes with what it takes and never with what another takes; what the page calls a
 * contradiction is what the validators refuse, no more and no less, over random recipes; one press after the
 * other ends in a recipe that they accept; each change that the engine suggests is one that the form can make,
 * and is said in its words.
 */
import { describe, expect, test } from 'vitest';
import {
  COMMON_RECIPE,
  DEFAULT_IA3_CONFIG,
  DEFAULT_PREFIX_CONFIG,
  LR_SCHEDULER_KWARGS,
  LR_SCHEDULER_TYPES,
  readTrainingArguments,
  type JsonObject,
  type PeftConfig,
  type TrainingArguments,
} from '../../src/lib/config';
import { Xoshiro128 } from '../../src/lib/config/random';
import { DICTIONARIES, explainError } from '../../src/lib/i18n';
import { METHODS, peftOf, type Method } from '../../src/lib/state/methods';
import { findConflict, type Surroundings } from '../../src/lib/state/recipe-conflicts';
import { mainOptions, moreGroups, type OptionItem } from '../../src/lib/state/recipe-groups';
import { isAllowed, LIMITS, type NumberOption } from '../../src/lib/state/recipe-limits';
import {
  fitSchedule,
  scheduleChoices,
  scheduleNumbers,
  shownSchedule,
  withScheduleOption,
} from '../../src/lib/state/recipe-schedule';
import { readSuggestion } from '../../src/lib/state/suggestion';
import { writeFitChange, type FitChange, type TrainerOptions } from '../../src/lib/training';
import { trainedRows } from '../../src/lib/training/run-rows';

const { training: COMMON } = COMMON_RECIPE;

const itemsOf = (schedule: TrainingArguments['lr_scheduler_type']): OptionItem[] => [
  ...mainOptions('lora').map((name) => ({ kind: 'number', name }) as const),
  ...moreGroups('lora', schedule).flatMap(({ items }) => items),
];

const FITTING: Surroundings = { method: 'lora', heldBack: true, f16: true };
const conflictOf = (training: TrainingArguments, around: Partial<Surroundings> = {}) =>
  findConflict(training, { ...FITTING, ...around });

const accepts = (training: TrainingArguments): boolean => {
  try {
    readTrainingArguments({ ...training } as unknown as JsonObject, 'recipe');
    return true;
  } catch {
    return false;
  }
};

describe('the controls', () => {
  test('are there for every argument of a run, once', () => {
    const names: string[] = itemsOf('linear').map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of Object.keys(COMMON))
      if (name !== 'lr_scheduler_kwargs') expect(names, name).toContain(name);
    for (const type of LR_SCHEDULER_TYPES) {
      const own = itemsOf(type).map(({ name }) => name as string);
      expect(own).toEqual(expect.arrayContaining([...LR_SCHEDULER_KWARGS[type]]));
    }
  });

  test.each(['zh-CN', 'en'] as const)('say in %s what they are, do and offer', (locale) => {
    const { fields, choices } = DICTIONARIES[locale].recipe;
    for (const item of LR_SCHEDULER_TYPES.flatMap(itemsOf)) {
      const [label, hint] = fields[item.name];
      expect(label, item.name).not.toBe('');
      expect(hint, item.name).toMatch(/[.。]$/);
      if (item.kind !== 'choice') continue;
      for (const value of item.values)
        expect(
          choices[`${item.name}.${value}`] ?? choices[value],
          `${item.name} ${value}`,
        ).toBeTruthy();
    }
  });
});

describe('a schedule', () => {
  test('has what it takes and needs when it is chosen after any other', () => {
    for (const before of LR_SCHEDULER_TYPES)
      for (const type of LR_SCHEDULER_TYPES) {
        const first = fitSchedule({ ...COMMON, lr_scheduler_type: before });
        const then = fitSchedule({ ...first, lr_scheduler_type: type });
        expect(accepts(then), `${type} after ${before}`).toBe(true);
      }
    const kept = { ...COMMON, lr_scheduler_type: 'cosine', lr_scheduler_kwargs: { num_cycles: 2 } };
    expect(fitSchedule(kept as TrainingArguments)).toBe(kept);
    expect(fitSchedule(COMMON)).toBe(COMMON);
  });

  test('shows what transformers takes where the recipe says nothing, all of it allowed', () => {
    for (const lr_scheduler_type of LR_SCHEDULER_TYPES) {
      const shown = shownSchedule({ lr_scheduler_type, lr_scheduler_kwargs: null });
      for (const name of scheduleNumbers(lr_scheduler_type))
        expect(isAllowed(name, shown[name]), name).toBe(true);
    }
    const restarts = {
      lr_scheduler_type: 'cosine_with_restarts',
      lr_scheduler_kwargs: null,
    } as const;
    expect(shownSchedule(restarts).num_cycles).toBe(1);
  });

  test('takes every value of its fields, one after the other', () => {
    const random = new Xoshiro128(3);
    for (let round = 0; round < 400; round++) {
      const lr_scheduler_type = LR_SCHEDULER_TYPES[round % LR_SCHEDULER_TYPES.length];
      let training = fitSchedule({ ...COMMON, learning_rate: 1, lr_scheduler_type });
      for (let edits = 0; edits < 4; edits++) {
        const [number] = shuffled(scheduleNumbers(lr_scheduler_type), random);
        if (number) set(number, valueOf(number, random));
        const [ramp] = shuffled(scheduleChoices(lr_scheduler_type), random);
        if (ramp) set(ramp, ['linear', 'cosine', '1-sqrt'][random.nextBelow(3)]);
      }
      const found = conflictOf(training);
      expect(accepts(training), JSON.stringify(training.lr_scheduler_kwargs)).toBe(
        found === undefined,
      );
      function set(name: Parameters<typeof withScheduleOption>[1], value: number | string) {
        training = { ...training, lr_scheduler_kwargs: withScheduleOption(training, name, value) };
        const shown = shownSchedule(training);
        if (value !== 0) expect(shown[name]).toBe(value);
      }
    }
  });
});

describe('a contradiction', () => {
  test('is what the validators refuse, no more and no less, and pressing mends it', () => {
    const random = new Xoshiro128(7);
    const pick = <Value>(values: readonly Value[]): Value =>
      values[random.nextBelow(values.length)];
    const kinds = new Map<string, number>();
    for (let round = 0; round < 5000; round++) {
      const lr_scheduler_type = pick(LR_SCHEDULER_TYPES);
      let training: TrainingArguments = fitSchedule({
        ...COMMON,
        lr_scheduler_type,
        learning_rate: pick([0, 1e-9, 1e-7, 2e-4, 1]),
        eval_strategy: pick(['no', 'steps', 'epoch'] as const),
        eval_steps: pick([null, 1, 3, 10, 25]),
        eval_on_start: pick([true, false]),
        logging_strategy: pick(['no', 'steps', 'epoch'] as const),
        logging_steps: pick([1, 7, 10]),
        save_strategy: pick(['no', 'steps', 'epoch', 'best'] as const),
        save_steps: pick([1, 10, 14, 25]),
        save_total_limit: pick([null, 1, 3]),
        load_best_model_at_end: pick([true, false]),
        metric_for_best_model: pick([null, 'eval_loss', 'eval_mean_token_accuracy'] as const),
        greater_is_better: pick([null, true, false]),
        early_stopping_patience: pick([null, 2]),
        packing: pick([true, false]),
        group_by_length: pick([true, false]),
        shuffle: pick([true, false]),
        optim: pick(['adamw_torch', 'adamw_8bit'] as const),
      });
      const conflict = conflictOf(training);
      expect(accepts(training), JSON.stringify(training)).toBe(conflict === undefined);
      if (conflict) kinds.set(conflict.kind, (kinds.get(conflict.kind) ?? 0) + 1);
      let heldBack = false;
      for (let press = 0; press < 5; press++) {
        const found = conflictOf(training, { heldBack });
        if (!found) break;
        training = fitSchedule({ ...training, ...found.fix.training });
        heldBack ||= (found.fix.evalShare ?? 0) > 0;
      }
      expect(conflictOf(training, { heldBack })).toBeUndefined();
      expect(accepts(training)).toBe(true);
      expect(isAllowed('save_steps', training.save_steps)).toBe(true);
    }
    expect([...kinds.keys()].sort()).toEqual([
      ...['end-above-rate', 'needs-evaluation', 'no-multiple', 'other-rhythm'],
    ]);
  });

  test('of fp16 is a device that does not compute in 16 bits, which is offered no such choice', () => {
    const training = { ...COMMON, fp16: true };
    expect(conflictOf(training)).toBeUndefined();
    expect(conflictOf(COMMON, { f16: false })).toBeUndefined();
    const found = conflictOf(training, { f16: false });
    expect(found).toEqual({ kind: 'no-f16', fix: { training: { fp16: false } } });
    const offered = (f16: boolean) =>
      moreGroups('lora', 'linear', f16).flatMap(({ items }) => items.map(({ name }) => name));
    expect(offered(true)).toContain('fp16');
    expect(offered(false)).toEqual(offered(true).filter((name) => name !== 'fp16'));
  });

  test('of best there is a choice where a run evaluates itself', () => {
    const offered = (evaluates: boolean) =>
      moreGroups('lora', 'linear', true, evaluates).flatMap(({ items }) =>
        items.map(({ name }) => name),
      );
    const aboutBest = ['metric_for_best_model', 'greater_is_better'] as const;
    expect(offered(true)).toEqual(expect.arrayContaining([...aboutBest]));
    expect(offered(false)).toEqual(
      offered(true).filter((name) => !aboutBest.some((other) => other === name)),
    );
  });

  test('of prefix tuning is packing, which every other method goes with', () => {
    const training = { ...COMMON, packing: true };
    const found = conflictOf(training, { method: 'prefix' });
    expect(found).toEqual({ kind: 'packed-prefix', fix: { training: { packing: false } } });
    expect(
      conflictOf({ ...training, ...found?.fix.training }, { method: 'prefix' }),
    ).toBeUndefined();
    for (const method of METHODS)
      expect(conflictOf(training, { method })?.kind, method).toBe(
        refusesPacking(method) ? 'packed-prefix' : undefined,
      );
  });

  test('of an orthogonal start is an odd rank, which one press makes even', () => {
    const orthogonal = { ...COMMON_RECIPE.lora, init_lora_weights: 'orthogonal' } as const;
    const conflict = (peft: PeftConfig) => conflictOf(COMMON, { peft });
    const found = conflict({ ...orthogonal, r: 7 });
    expect(found).toEqual({ kind: 'odd-rank', rank: 7, fits: 8, fix: { lora: { r: 8 } } });
    expect(conflict({ ...orthogonal, r: 7, ...found?.fix.lora })).toBeUndefined();
    expect(conflict({ ...orthogonal, r: 7, init_lora_weights: 'gaussian' })).toBeUndefined();
    expect(conflict({ peft_type: 'FULL' })).toBeUndefined();
  });

  test('of a run that evaluates itself is also that nothing is held back', () => {
    const training = { ...COMMON, eval_strategy: 'epoch' } as const;
    expect(conflictOf(training, { heldBack: false })?.kind).toBe('nothing-held-back');
    expect(conflictOf(training)).toBeUndefined();
    expect(conflictOf(COMMON, { heldBack: false })).toBeUndefined();
  });
});

describe('what would make a run fit', () => {
  /** Each change that the engine can suggest; without one the compiler names it. */
  const ALL: Required<FitChange> = {
    ...{ per_device_train_batch_size: 2, gradient_accumulation_steps: 8 },
    ...{ per_device_eval_batch_size: 2, max_length: 96, r: 4, lora_alpha: 0.5 },
    gradient_checkpointing: true,
    optim: 'adamw_8bit',
    load_in_4bit: true,
    peft_type: 'LORA',
  };

  test('is all taken over by the form, and nothing else is', () => {
    const read = readSuggestion(writeFitChange(ALL));
    expect(Object.fromEntries(read.map(({ name, value }) => [name, value]))).toEqual(ALL);
    const kinds = read.filter(({ kind }) => kind === 'choice').map(({ name }) => name);
    expect(kinds.sort()).toEqual(['gradient_checkpointing', 'load_in_4bit', 'optim']);
    for (const foreign of [
      'optim=sgd',
      'fp16=true',
      'peft_type=FULL',
      'r=0',
      'r=',
      'constructor=1',
      '',
    ])
      expect(readSuggestion(foreign), foreign).toEqual([]);
  });

  test.each([
    ['en', 'Optimiser 8-bit moments'],
    ['zh-CN', '把优化器改为 8 位动量'],
  ] as const)('is said in %s by the words of the form', (locale, words) => {
    const details = { suggestion: writeFitChange({ optim: 'adamw_8bit', max_length: 96 }) };
    const { sentence } = explainError({ code: 'out-of-memory', message: '', details }, locale);
    expect(sentence).toContain(words);
    expect(sentence).toContain('96');
  });

  test.each([
    ['en', 'these settings fit: Method LoRA, Rows per batch 1.'],
    ['zh-CN', '把训练方法改为 LoRA、把每批条数改为 1，就放得下。'],
  ] as const)('is said in %s by the name of another method', (locale, words) => {
    const change: FitChange = { peft_type: 'LORA', per_device_train_batch_size: 1 };
    const details = { suggestion: writeFitChange(change) };
    const { sentence } = explainError({ code: 'limit', message: '', details }, locale);
    expect(sentence).toContain(words);
  });
});

/** Asks the trainer's own check, with one row and a model of sixteen positions. */
function refusesPacking(method: Method): boolean {
  const peft = peftOf({
    method,
    lora: COMMON_RECIPE.lora,
    ia3: DEFAULT_IA3_CONFIG,
    prefix: { ...DEFAULT_PREFIX_CONFIG, num_virtual_tokens: 4 },
  });
  const row = { inputIds: Int32Array.of(1, 2), labels: Int32Array.of(1, 2) };
  const config = { vocabSize: 8, maxPositionEmbeddings: 16 };
  const args = { ...COMMON, packing: true };
  try {
    trainedRows({ rows: [row], args, peft, config } as unknown as TrainerOptions);
    return false;
  } catch {
    return true;
  }
}

function valueOf(name: NumberOption, random: Xoshiro128): number {
  const { min, max, whole } = LIMITS[name];
  if (random.nextBelow(4) === 0) return min;
  const value = min + (Math.min(max, 20) - min) * (random.nextBelow(1000) / 1000);
  return whole ? Math.ceil(value) : value;
}

function shuffled<Value>(values: readonly Value[], random: Xoshiro128): Value[] {
  return [...values].sort(() => random.nextBelow(3) - 1);
}
