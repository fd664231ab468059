/**
 * Plan: what PiSSA and OLoRA taught, as a plain LoRA of twice the rank: there and back bit for bit, biases and
 * rsLoRA included; the plain product is the change of the product; the scale is kept; PEFT's own conversion.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loraScale, readPeftConfig, type LoraConfig } from '$lib/config';
import { adaptedModel } from '$lib/decoder';
import { fromPlainLora, layoutAdapter, plainLoraConfig, readAdapter, toPlainLora } from '$lib/peft';
import { goldenPath, openGolden, readJson, relativeL2 } from '../goldens';
import { uniform } from '../kernels/oracle/add-harness';
import { matrix, product, scaledSum } from '../kernels/oracle/matmul';

async function trained(settings: Record<string, unknown>, name = 'qwen2-untied') {
  const config = readPeftConfig({ init_lora_weights: 'pissa', ...settings }, 'test') as LoraConfig;
  const model = adaptedModel((await openGolden(name)).config);
  const layout = layoutAdapter(model, config);
  const values = new Float32Array(layout.flatCount);
  const initial = new Float32Array(layout.flatCount);
  for (const { kind, offset, count } of layout.parameters) {
    values.set(uniform(count, offset + 1), offset);
    // A bias has no start that is taken out of the base.
    if (kind !== 'bias') initial.set(uniform(count, offset + 2), offset);
  }
  return { config, model, layout, values, initial };
}

const SETTINGS = [
  { r: 1, target_modules: ['q_proj'] },
  { r: 3, target_modules: ['q_proj', 'v_proj', 'down_proj'] },
  { r: 4, target_modules: 'all-linear', bias: 'all' },
  { r: 5, target_modules: ['q_proj', 'k_proj'], bias: 'lora_only', use_rslora: true },
  {
    ...{
      r: 3,
      use_rslora: true,
      target_modules: '.*\\.([qk]|down)_proj',
      exclude_modules: ['0.q_proj'],
    },
    ...{ rank_pattern: { down_proj: 1, '1.*q_proj': 5 }, alpha_pattern: { k_proj: 3 } },
  },
];

describe('plain LoRA', () => {
  it.each(SETTINGS)('%j: there and back, bit for bit', async (settings) => {
    const { config, model, values, initial } = await trained(settings);
    const plain = toPlainLora(config, model, values, initial);
    expect(fromPlainLora(config, model, plain.values)).toEqual({ values, initial });
    // Signs of zeros are bits too.
    const zeros = { values: values.map(() => -0), initial: initial.map(() => 0) };
    const back = fromPlainLora(
      config,
      model,
      toPlainLora(config, model, zeros.values, zeros.initial).values,
    );
    const { parameters } = layoutAdapter(model, config);
    for (const { offset, count } of parameters)
      for (const which of ['values', 'initial'] as const)
        for (let i = offset; i < offset + count; i++)
          if (!Object.is(back[which][i], zeros[which][i]))
            expect(back[which][i]).toBe(zeros[which][i]);
  });

  it.each(SETTINGS)('%j: its product is what the product has changed by', async (settings) => {
    const { config, model, layout, values, initial } = await trained(settings);
    const plain = toPlainLora(config, model, values, initial);
    const plainConfig = plain.config as LoraConfig;
    expect(plainConfig.r).toBe(2 * config.r);
    expect(loraScale(plainConfig)).toBeCloseTo(loraScale(config), 12);
    expect(plainConfig.init_lora_weights).toBe(true);
    for (const [index, parameter] of layout.parameters.entries()) {
      const wide = plain.layout.parameters[index];
      expect([wide.path, wide.kind]).toEqual([parameter.path, parameter.kind]);
      const at = (flat: Float32Array, { offset, count }: typeof wide) =>
        flat.subarray(offset, offset + count);
      if (parameter.kind === 'bias') expect(at(plain.values, wide)).toEqual(at(values, parameter));
      if (parameter.kind !== 'lora_A') continue;
      const partner = (parameters: typeof layout.parameters) =>
        parameters.find(({ path, kind }) => path === parameter.path && kind === 'lora_B')!;
      const of = (flat: Float32Array, a: typeof wide, b: typeof wide) =>
        product(
          matrix(b.shape[0], b.shape[1], at(flat, b)),
          matrix(a.shape[0], a.shape[1], at(flat, a)),
        );
      const narrowB = partner(layout.parameters);
      const change = scaledSum(-1, of(initial, parameter, narrowB), of(values, parameter, narrowB));
      const found = of(plain.values, wide, partner(plain.layout.parameters));
      expect(relativeL2(found.data, change.data), parameter.path).toBeLessThan(1e-12);
    }
  });

  it.each(['pissa', 'pissa-rslora', 'olora'])(
    "%s: equals PEFT's conversion bit for bit",
    async (name) => {
      const { model: id } = readJson<{ model: string }>(`methods/${name}/case.json`);
      const model = adaptedModel((await openGolden(id)).config);
      const read = (part: string) => {
        const folder = goldenPath(`methods/${name}/${part}`);
        return readAdapter(
          {
            configJson: readFileSync(`${folder}/adapter_config.json`, 'utf8'),
            weights: new Uint8Array(readFileSync(`${folder}/adapter_model.safetensors`)),
          },
          model,
          { allowChangedBase: true },
        );
      };
      const [initial, final, converted] = ['init-adapter', 'final-adapter', 'final-converted'].map(
        read,
      );
      const config = final.config as LoraConfig;
      const plain = toPlainLora(config, model, final.values, initial.values);
      expect(plain.values).toEqual(converted.values);
      expect(plain.config).toEqual(converted.config);
      expect(plainLoraConfig(config)).toEqual(converted.config);
    },
  );
});
