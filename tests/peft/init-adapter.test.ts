/**
 * Plan: where each method starts, against what PEFT started from in the goldens: plain LoRA's uniform A and B of
 * zeros, DoRA's magnitudes, IA3's ones, PiSSA's and OLoRA's part of the weight, biases and whole tensors of the base;
 * the distributions of A and of a prefix; progress and abort; a rank that no weight has, by name.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loraScale, parsePeftConfig, readPeftConfig, type PeftConfig } from '$lib/config';
import { adaptedModel } from '$lib/decoder';
import { tensorToFloat32 } from '$lib/formats';
import { initAdapter, layoutAdapter, readAdapter, type AdapterParameter } from '$lib/peft';
import { goldenPath, openGolden, readJson, relativeL2 } from '../goldens';
import { matrix, product } from '../kernels/oracle/matmul';

/** @param name a case of methods, or of another folder with that before it */
const folderOf = (name: string) => (name.includes('/') ? name : `methods/${name}`);

const filesOf = (name: string) => {
  const folder = goldenPath(`${folderOf(name)}/init-adapter`);
  return {
    configJson: readFileSync(`${folder}/adapter_config.json`, 'utf8'),
    weights: new Uint8Array(readFileSync(`${folder}/adapter_model.safetensors`)),
  };
};

async function start(name: string, seed = 1, change: Partial<PeftConfig> = {}) {
  const { model } = readJson<{ model: string }>(`${folderOf(name)}/case.json`);
  const golden = await openGolden(model);
  const adapted = adaptedModel(golden.config);
  const read = readAdapter(filesOf(name), adapted, { allowChangedBase: true });
  const config = { ...read.config, ...change } as PeftConfig;
  const layout = layoutAdapter(adapted, config);
  const base = async (tensor: string) => {
    const stored = (await golden.checkpoint.source(tensor))!;
    return tensorToFloat32(stored.bytes, stored.dtype).slice();
  };
  const values = await initAdapter(layout, config, seed, base);
  const part = ({ offset, count }: AdapterParameter, of = values) =>
    of.subarray(offset, offset + count);
  return { config, layout, values, expected: read.values, base, part };
}

const moments = (values: Float32Array) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(square) };
};

describe('the start of', () => {
  it.each(['training/constant-alllinear-rslora', 'training/qwen3-cosine', 'methods/loraplus'])(
    "plain LoRA is PEFT's: kaiming_uniform with a = sqrt(5), and B of zeros (%s)",
    async (name) => {
      const { config, layout, part } = await start(name, 1, { r: 256 });
      expect(config).toMatchObject({ peft_type: 'LORA', use_dora: false, init_lora_weights: true });
      const peft = await start(name);
      const other = await start(name, 2, { r: 256 });
      const inputs = new Set<number>();
      for (const [index, parameter] of layout.parameters.entries()) {
        const { kind, key, shape } = parameter;
        const values = part(parameter);
        const golden = peft.part(peft.layout.parameters[index], peft.expected);
        if (kind === 'lora_B')
          for (const zeros of [values, golden])
            expect(
              zeros.every((value) => value === 0),
              key,
            ).toBe(true);
        if (kind !== 'lora_A') continue;
        inputs.add(shape[1]);
        // sqrt(6 / ((1 + a^2) in)); a uniform distribution deviates by bound / sqrt(3).
        const bound = 1 / Math.sqrt(shape[1]);
        // The deviation of our 8192 values and more is some 0.5 % off, that of PEFT's 128 and more some 4 %.
        for (const [drawn, tolerance] of [
          [values, 0.03],
          [golden, 0.2],
        ] as const) {
          const { mean, deviation } = moments(drawn);
          const largest = drawn.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          expect(Math.abs(mean) / bound, key).toBeLessThan(tolerance);
          expect(Math.abs((deviation * Math.sqrt(3)) / bound - 1), key).toBeLessThan(tolerance);
          expect(largest, key).toBeLessThanOrEqual(bound);
          expect(largest / bound, key).toBeGreaterThan(1 - tolerance / 2);
        }
        expect(other.part(parameter), key).not.toEqual(values);
      }
      // A bound by another number than the inputs would pass in a model of squares.
      expect(inputs.size).toBeGreaterThan(name.includes('alllinear') ? 1 : 0);
    },
  );

  it.each(['dora', 'dora-rslora-bias', 'loraplus-dora'])(
    "%s has PEFT's magnitudes, B of zeros, A within its bound and the base's biases",
    async (name) => {
      const { layout, expected, part } = await start(name);
      const kinds = new Set(layout.parameters.map(({ kind }) => kind));
      expect(kinds.has('lora_magnitude_vector')).toBe(true);
      for (const parameter of layout.parameters) {
        const [found, wanted] = [part(parameter), part(parameter, expected)];
        if (parameter.kind === 'lora_A') {
          const bound = 1 / Math.sqrt(parameter.shape[1]);
          for (const values of [found, wanted])
            expect(values.every((value) => Math.abs(value) <= bound)).toBe(true);
        } else if (parameter.kind === 'lora_magnitude_vector')
          // A root of a sum of `in` squares, rounded to f32 on either side.
          expect(relativeL2(found, wanted), parameter.key).toBeLessThan(1e-6);
        else expect(found, parameter.key).toEqual(wanted);
      }
    },
  );

  it.each(['ia3-llama', 'ia3-qwen2'])('%s is ones', async (name) => {
    const { values, expected, layout } = await start(name);
    expect(values).toEqual(expected);
    for (const { offset, count } of layout.parameters)
      expect(values.subarray(offset, offset + count).every((value) => value === 1)).toBe(true);
  });

  it.each(['prefix-llama-gqa', 'prefix-mistral-sliding', 'prefix-llama3-scaling'])(
    "%s is normal, as PEFT's is",
    async (name) => {
      // Many virtual tokens: the deviation of 64,000 normals is within 1 % of 1, the mean of 0.
      const { layout, values, part } = await start(name, 1, { num_virtual_tokens: 500 });
      const [table] = layout.parameters;
      expect(layout.parameters).toHaveLength(1);
      const { mean, deviation } = moments(part(table));
      expect(Math.abs(mean)).toBeLessThan(0.02);
      expect(Math.abs(deviation - 1)).toBeLessThan(0.02);
      const inside = part(table).filter((value) => Math.abs(value) < 1).length / table.count;
      expect(Math.abs(inside - 0.6827)).toBeLessThan(0.01);
      const other = await start(name, 2, { num_virtual_tokens: 500 });
      expect(other.values).not.toEqual(values);
      const golden = await start(name);
      const peft = moments(golden.part(golden.layout.parameters[0], golden.expected));
      expect(Math.abs(peft.mean)).toBeLessThan(0.2);
      expect(Math.abs(peft.deviation - 1)).toBeLessThan(0.2);
    },
  );

  it.each(['pissa', 'pissa-rslora', 'olora'])(
    "%s takes PEFT's part out of each weight",
    async (name) => {
      const { config, layout, expected, part } = await start(name);
      if (config.peft_type !== 'LORA') throw new TypeError(name);
      const partOf = (path: string, of?: Float32Array) => {
        const find = (kind: string) =>
          layout.parameters.find(
            (parameter) => parameter.path === path && parameter.kind === kind,
          )!;
        const [a, b] = [find('lora_A'), find('lora_B')];
        const A = matrix(a.shape[0], a.shape[1], part(a, of));
        return product(matrix(b.shape[0], b.shape[1], part(b, of)), A).data;
      };
      const paths = new Set(layout.parameters.map(({ path }) => path));
      expect(paths.size).toBeGreaterThan(1);
      for (const path of paths) {
        const found = partOf(path).map((value) => value * loraScale(config));
        const wanted = partOf(path, expected).map((value) => value * loraScale(config));
        // PEFT's factors come out of an SVD in f32; see weight-factors.test.ts.
        expect(relativeL2(found, wanted), path).toBeLessThan(5e-5);
      }
    },
  );

  it('full fine-tuning is the model itself', async () => {
    const golden = await openGolden('qwen2');
    const adapted = adaptedModel(golden.config);
    const full = readPeftConfig({ peft_type: 'FULL' }, 'test');
    const layout = layoutAdapter(adapted, full);
    const base = async (name: string) => {
      const stored = (await golden.checkpoint.source(name))!;
      return tensorToFloat32(stored.bytes, stored.dtype).slice();
    };
    const values = await initAdapter(layout, full, 1, base);
    expect(layout.parameters).toHaveLength(adapted.tensors.length);
    for (const { key, offset, count } of layout.parameters)
      expect(values.subarray(offset, offset + count), key).toEqual(await base(key));
  });
});

describe('making a start', () => {
  it('tells how far it is, ends when it is asked to, and gives the same bits for a seed', async () => {
    const { layout, config, base, values } = await start('pissa');
    const seen: number[] = [];
    const again = await initAdapter(layout, config, 1, base, {
      onProgress: (done, total) => {
        expect(total).toBe(layout.parameters.length);
        seen.push(done);
      },
    });
    expect(again).toEqual(values);
    expect(seen).toEqual(layout.parameters.map((_, index) => index + 1));
    const stop = new AbortController();
    const stopped = initAdapter(layout, config, 1, base, {
      signal: stop.signal,
      onProgress: (done) => done === 2 && stop.abort(),
    });
    await expect(stopped).rejects.toThrow(/abort/i);
  });

  it('refuses a rank that a weight does not have, naming the weight and what it has', async () => {
    const { config: model } = await openGolden('llama-untied-gqa');
    const adapted = adaptedModel(model);
    const layoutOf = (init_lora_weights: unknown, r: number) => () =>
      layoutAdapter(
        adapted,
        readPeftConfig({ r, target_modules: ['k_proj'], init_lora_weights }, 'test'),
      );
    const [{ outFeatures, inFeatures }] = adapted.layers.filter(
      ({ module }) => module === 'k_proj',
    );
    const most = Math.min(outFeatures, inFeatures);
    for (const init of ['pissa', 'pissa_niter_4', 'olora']) {
      expect(layoutOf(init, most)).not.toThrow();
      expect(layoutOf(init, most + 1)).toThrow(
        `model.layers.0.self_attn.k_proj is ${outFeatures} by ${inFeatures}, so init_lora_weights ${init} takes a rank of at most ${most} there; r is ${most + 1}`,
      );
      expect(layoutOf(init, most + 1)).toThrow(expect.objectContaining({ code: 'rank-too-large' }));
    }
    expect(layoutOf(true, most + 1)).not.toThrow();
  });

  it('lets the rank of PiSSA and OLoRA be half of what can be read: they are saved at twice theirs', () => {
    const read = (r: number, init: unknown) => () =>
      parsePeftConfig(JSON.stringify({ r, init_lora_weights: init }));
    expect(read(1024, 'pissa')).not.toThrow();
    expect(read(2048, true)).not.toThrow();
    expect(read(1025, 'pissa')).toThrow(/r is 1025, it must be at least 1 and at most 1024/);
    expect(read(2049, true)).toThrow(/r is 2049/);
  });
});
