/**
 * Which layers a form's method goes on. Plan: what boxes and fields show is no text; what they cannot show is shown as
 * JSON, each setting once, and left out at one press; a form keeps it over a reload; what is unsound falls back to the
 * boxes; the method's line spans the ranks.
 */
import { describe, expect, test } from 'vitest';
import {
  COMMON_RECIPE,
  DEFAULT_IA3_CONFIG,
  FULL_TUNING,
  type Ia3Config,
  type LoraConfig,
} from '../../src/lib/config';
import {
  shapeIa3,
  shapeLoraLayers,
  withoutWritten,
  writtenSettings,
} from '../../src/lib/state/form-layers';
import { methodLine } from '../../src/lib/state/method-line';

const { lora } = COMMON_RECIPE;
const BY_FILE: LoraConfig = {
  ...lora,
  ...{ target_modules: '.*\\.q_proj', exclude_modules: ['lm_head'] },
  ...{ rank_pattern: { q_proj: 4 }, alpha_pattern: { q_proj: 0.5 } },
};
const IN_BLOCKS: LoraConfig = { ...lora, layers_to_transform: 1, layers_pattern: ['layers'] };
const IA3: Ia3Config = {
  ...DEFAULT_IA3_CONFIG,
  ...{ target_modules: ['0.mlp.up_proj'], feedforward_modules: '.*up.*', exclude_modules: '.*1.*' },
};

describe('what boxes cannot show', () => {
  test('is written out, each setting once', () => {
    for (const peft of [lora, DEFAULT_IA3_CONFIG, FULL_TUNING, { ...lora, target_modules: [] }])
      expect(writtenSettings(peft)).toEqual([]);
    expect(writtenSettings(BY_FILE)).toEqual([
      { name: 'target_modules', text: '".*\\\\.q_proj"' },
      { name: 'exclude_modules', text: '["lm_head"]' },
      { name: 'rank_pattern', text: '{"q_proj":4}' },
      { name: 'alpha_pattern', text: '{"q_proj":0.5}' },
    ]);
    expect(writtenSettings(IN_BLOCKS).map(({ name }) => name)).toEqual([
      ...['layers_to_transform', 'layers_pattern'],
    ]);
    expect(writtenSettings(IA3).map(({ name }) => name)).toEqual([
      ...['target_modules', 'feedforward_modules', 'exclude_modules'],
    ]);
  });

  test('is left out at one press; boxes that say all stay', () => {
    expect(withoutWritten(BY_FILE)).toEqual(lora);
    expect(withoutWritten(IA3)).toEqual(DEFAULT_IA3_CONFIG);
    const boxes = { ...IN_BLOCKS, target_modules: ['up_proj'] };
    expect(withoutWritten(boxes)).toEqual({ ...lora, target_modules: ['up_proj'] });
    expect(withoutWritten(lora)).toEqual(lora);
  });
});

const reread = (value: object) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>;

describe('a form that is read again', () => {
  test('has it as it was', () => {
    for (const config of [BY_FILE, IN_BLOCKS, lora, { ...lora, target_modules: ['o_proj'] }])
      expect({ ...config, ...shapeLoraLayers(reread(config)) }).toEqual(config);
    for (const config of [IA3, DEFAULT_IA3_CONFIG])
      expect(shapeIa3(reread(config))).toEqual(config);
    // Boxes may be empty for a while.
    const none = { ...BY_FILE, target_modules: [] };
    expect(shapeLoraLayers(reread(none))).toMatchObject({
      ...{ target_modules: [], rank_pattern: { q_proj: 4 } },
    });
  });

  test('has its boxes where it is unsound', () => {
    const { target_modules } = lora;
    for (const wrong of [
      { target_modules: '(' },
      { target_modules: 7 },
      { rank_pattern: { q_proj: 0 } },
      { exclude_modules: [[]] },
      { layers_pattern: 'layers' },
    ])
      expect(shapeLoraLayers(wrong)).toEqual({ target_modules });
    expect(shapeIa3({ target_modules: '(' })).toEqual(DEFAULT_IA3_CONFIG);
    expect(shapeIa3(7)).toEqual(DEFAULT_IA3_CONFIG);
  });
});

test("the method's line spans ranks and alphas", () => {
  const names = { full: 'Full', prefix: 'Prefix' };
  expect(methodLine({ ...BY_FILE, r: 16, lora_alpha: 32 }, names)).toBe(
    'LoRA · r 4–16 · alpha 0.5–32',
  );
  expect(methodLine({ ...lora, r: 16, lora_alpha: 32 }, names)).toBe('LoRA · r 16 · alpha 32');
});
