/**
 * Plan: long texts are split by default where the data is plain text, and nowhere else; what a person chose stays,
 * whatever the data; the evaluation's default is as it is by itself. Files and cards carry the choice.
 */
import { describe, expect, test } from 'vitest';
import {
  COMMON_RECIPE,
  readRecipe,
  writeRecipeFile,
  type TrainingArguments,
} from '../../src/lib/config';
import { NOTHING_CHOSEN, withDataDefaults } from '../../src/lib/state/data-defaults';
import { withDefaultEvaluation } from '../../src/lib/state/eval-default';
import { parseSettings } from '../../src/lib/state/read-settings';
import { shapeKeptForm, UNTOUCHED_FORM } from '../../src/lib/state/kept-form';

const { training: COMMON } = COMMON_RECIPE;
const PROSE = { holdsBack: false, isText: true };
const QUESTIONS = { holdsBack: false, isText: false };

describe('what follows the data', () => {
  test('long texts are split where the data is plain text', () => {
    expect(COMMON.split_long_text).toBe(false);
    expect(withDataDefaults(COMMON, NOTHING_CHOSEN, PROSE).split_long_text).toBe(true);
    expect(withDataDefaults(COMMON, NOTHING_CHOSEN, QUESTIONS)).toBe(COMMON);
    // As of an earlier run over prose.
    const earlier: TrainingArguments = { ...COMMON, split_long_text: true };
    expect(withDataDefaults(earlier, NOTHING_CHOSEN, PROSE)).toBe(earlier);
    expect(withDataDefaults(earlier, NOTHING_CHOSEN, QUESTIONS).split_long_text).toBe(false);
  });

  test("a person's own choice stays", () => {
    const own = { evaluationIsOwn: false, splitIsOwn: true };
    for (const split_long_text of [true, false])
      for (const data of [PROSE, QUESTIONS])
        expect(withDataDefaults({ ...COMMON, split_long_text }, own, data)).toMatchObject({
          split_long_text,
        });
  });

  test('evaluations follow it as by themselves', () => {
    const heldBack = { holdsBack: true, isText: false };
    expect(withDataDefaults(COMMON, NOTHING_CHOSEN, heldBack)).toEqual(
      withDefaultEvaluation(COMMON, true),
    );
    const own = { evaluationIsOwn: true, splitIsOwn: false };
    expect(withDataDefaults(COMMON, own, heldBack)).toBe(COMMON);
  });
});

describe('the choice is kept', () => {
  test('in a file of settings', () => {
    const file = writeRecipeFile(COMMON_RECIPE.lora, { ...COMMON, split_long_text: true });
    const read = readRecipe(JSON.parse(file) as Record<string, unknown>, 'a.json');
    expect(read.args.split_long_text).toBe(true);
    expect(read.unused).toEqual([]);
    // A file that says nothing of it, as other programs' and older ones, leaves it to the data.
    expect(parseSettings(file, 'a.json').splitIsOwn).toBe(true);
    expect(parseSettings('{"r": 8, "learning_rate": 1e-4}', 'a.json').splitIsOwn).toBe(false);
    expect(() => readRecipe({ split_long_text: 'yes' }, 'a.json')).toThrow(
      'a.json: split_long_text is "yes", true or false is needed.',
    );
  });

  test('in a form of an older version it follows the data', () => {
    const options = { method: 'lora', training: COMMON, rateIsOwn: true, evaluationIsOwn: true };
    const form = shapeKeptForm({ ...UNTOUCHED_FORM, options });
    expect(form?.options).toMatchObject({ evaluationIsOwn: true, splitIsOwn: false });
  });
});
