/** Plan: each name of the same AdamW is read and kept; AdamW of another kind is refused with the nearest name. */
import { describe, expect, test } from 'vitest';
import { has8bitMoments, OPTIMIZERS, parseRecipeFile, readTrainingArguments } from '$lib/config';

const read = (optim?: unknown) => readTrainingArguments({ optim }, 'c.json');

describe('optim', () => {
  test.each([
    ...['adamw_torch', 'adamw_torch_fused', 'adamw_torch_xla', 'adamw_torch_npu_fused'],
    ...['adamw_apex_fused', 'paged_adamw_32bit'],
  ])('%s keeps moments of 32 bits', (name) => {
    expect(read(name).optim).toBe(name);
    expect(has8bitMoments(read(name))).toBe(false);
  });

  test.each(['adamw_8bit', 'adamw_bnb_8bit', 'paged_adamw_8bit'])('%s those of 8', (name) => {
    expect(read(name).optim).toBe(name);
    expect(has8bitMoments(read(name))).toBe(true);
  });

  test('is adamw_torch when left out, and any name of it is no warning', () => {
    expect(read().optim).toBe('adamw_torch');
    for (const optim of OPTIMIZERS)
      expect(parseRecipeFile(JSON.stringify({ optim }), 'c.json').warnings).toEqual([]);
  });

  test.each([
    ['adamw_torch_8bit', 'adamw_8bit'],
    ['adamw_torch_4bit', 'adamw_8bit'],
    ['adamw_anyprecision', 'adamw_torch'],
    ['adamw_hf', 'adamw_torch'],
  ])('%s is another update: refused, and the nearest is named', (name, nearest) => {
    expect(() => read(name)).toThrow(
      `c.json: optim is "${name}", which is not supported; supported: ${nearest}.`,
    );
    expect(() => read(nearest)).not.toThrow();
  });

  test.each(['adafactor', 'paged_lion_8bit', 8, 'constructor'])('%j is refused with all', (name) =>
    expect(() => read(name)).toThrow(`one of ${OPTIMIZERS.join(', ')} is needed.`),
  );
});
