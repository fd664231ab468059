/**
 * Plan: the groups of every method tile the flat buffer without a gap; full fine-tuning places every tensor
 * once, decays all but norms and biases, as transformers does, and is fast under LoRA+ where one-dimensional;
 * DoRA's magnitudes lie together; what a method cannot be laid out for is refused by name.
 */
import { describe, expect, it } from 'vitest';
import { readPeftConfig, type JsonObject } from '$lib/config';
import { adaptedModel } from '$lib/decoder';
import { layoutAdapter } from '$lib/peft';
import { openGolden } from '../goldens';

const layoutOf = async (name: string, settings: JsonObject) =>
  layoutAdapter(adaptedModel((await openGolden(name)).config), readPeftConfig(settings, 'test'));

const METHODS: JsonObject[] = [
  { r: 3, bias: 'all', target_modules: ['q_proj', 'o_proj'] },
  { r: 3, bias: 'lora_only', use_dora: true, target_modules: 'all-linear' },
  { peft_type: 'IA3' },
  { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 5 },
  { peft_type: 'FULL' },
];

describe('the layout of', () => {
  it.each(METHODS)('%j tiles the flat buffer with its groups', async (settings) => {
    const { parameters, groups, flatCount, trainableCount } = await layoutOf('qwen2', settings);
    let end = 0;
    for (const { offset, count } of groups) {
      expect(offset).toBe(end);
      end += count;
    }
    expect(end).toBe(flatCount);
    expect(parameters.reduce((sum, { count }) => sum + count, 0)).toBe(trainableCount);
    let next = 0;
    for (const { offset, count, shape, key } of parameters) {
      expect(offset, key).toBe(next);
      expect(
        shape.reduce((product, size) => product * size, 1),
        key,
      ).toBe(count);
      next = Math.ceil((offset + count) / 64) * 64;
      const within = groups.filter(
        (g) => offset >= g.offset && offset + count <= g.offset + g.count,
      );
      expect(within, key).toHaveLength(1);
    }
    expect(next).toBe(flatCount);
    expect(new Set(parameters.map(({ key }) => key)).size).toBe(parameters.length);
  });

  it.each(['llama-bias', 'qwen3', 'qwen2', 'llama-untied-gqa'])(
    'full fine-tuning of %s: every tensor once, no decay on norms and biases',
    async (name) => {
      const { config } = await openGolden(name);
      const { tensors } = adaptedModel(config);
      const { parameters, groups } = await layoutOf(name, { peft_type: 'FULL' });
      expect(parameters.map(({ key }) => key).sort()).toEqual(tensors.map((t) => t.name).sort());
      for (const { key, shape, offset, kind, path } of parameters) {
        expect([kind, path]).toEqual(['tensor', key]);
        expect(shape).toEqual(tensors.find((tensor) => tensor.name === key)!.shape);
        const group = groups.find((g) => offset >= g.offset && offset < g.offset + g.count)!;
        expect(group.decay, key).toBe(shape.length === 2);
        expect(group.fast, key).toBe(shape.length === 1);
      }
      // All that decays comes first, so two calls of the optimiser move the model.
      expect(groups.map(({ decay }) => decay)).toEqual([true, false]);
    },
  );

  it('DoRA keeps its magnitudes together: they decay, and are fast under LoRA+', async () => {
    const layout = await layoutOf('llama-untied-gqa', {
      use_dora: true,
      target_modules: 'all-linear',
    });
    const kinds = layout.parameters.map(({ kind }) => kind);
    const first = kinds.indexOf('lora_magnitude_vector');
    const count = kinds.filter((kind) => kind === 'lora_magnitude_vector').length;
    expect(count).toBe(kinds.filter((kind) => kind === 'lora_A').length);
    expect(
      kinds.slice(first, first + count).every((kind) => kind === 'lora_magnitude_vector'),
    ).toBe(true);
    expect(layout.groups).toEqual([
      expect.objectContaining({ decay: true, fast: false }),
      expect.objectContaining({ decay: true, fast: true }),
    ]);
  });

  it('a method without a layer to stand on is refused by name', async () => {
    const { config } = await openGolden('llama-tied');
    const model = adaptedModel(config);
    const without = { ...model, layers: model.layers.filter(({ module }) => module !== 'k_proj') };
    for (const settings of [
      { target_modules: ['k_proj'] },
      { peft_type: 'IA3', target_modules: ['k_proj'], feedforward_modules: [] },
    ]) {
      const read = readPeftConfig(settings, 'test');
      expect(() => layoutAdapter(model, read)).not.toThrow();
      expect(() => layoutAdapter(without, read)).toThrow(
        /target_modules \(k_proj\) names no layer/,
      );
    }
  });
});
