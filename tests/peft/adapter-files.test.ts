import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InkstoneError, moduleList, readLoraConfig } from '$lib/config';
import { adaptedModel } from '$lib/decoder';
import { initAdapter, layoutAdapter, readAdapter, withBaseModel, writeAdapter } from '$lib/peft';
import { goldenPath, openGolden, readJson } from '../goldens';

const filesOf = (name: string) => ({
  configJson: readFileSync(goldenPath(`models/${name}/adapter/adapter_config.json`), 'utf8'),
  weights: new Uint8Array(
    readFileSync(goldenPath(`models/${name}/adapter/adapter_model.safetensors`)),
  ),
});

/** Every adapter folder that PEFT wrote for a method: before training, after it, and converted to plain LoRA. */
const METHOD_FOLDERS = readdirSync(goldenPath('methods')).flatMap((name) =>
  ['init-adapter', 'final-adapter', 'final-converted']
    .map((part) => `methods/${name}/${part}`)
    .filter((folder) => existsSync(goldenPath(folder))),
);

const readFolder = async (folder: string) => {
  const name = folder.split('/')[1];
  const { config } = await openGolden(
    readJson<{ model: string }>(`methods/${name}/case.json`).model,
  );
  const files = {
    configJson: readFileSync(goldenPath(`${folder}/adapter_config.json`), 'utf8'),
    weights: new Uint8Array(readFileSync(goldenPath(`${folder}/adapter_model.safetensors`))),
  };
  return { model: adaptedModel(config), files };
};

describe("PEFT's adapter files of every method", () => {
  it.each(METHOD_FOLDERS)('%s: tensors byte for byte, and the same config', async (folder) => {
    const { model, files } = await readFolder(folder);
    const loaded = readAdapter(files, model, { allowChangedBase: true });
    const peft = JSON.parse(files.configJson) as Record<string, unknown>;
    const written = writeAdapter(loaded, model, String(peft.base_model_name_or_path));
    expect(Buffer.from(written.weights).equals(Buffer.from(files.weights))).toBe(true);
    // PEFT writes `all-linear` out, layer by layer; paths of some layers stay paths.
    const modulesOf = (paths: unknown, found: unknown) =>
      Array.isArray(paths) && Array.isArray(found) && moduleList(found as string[])
        ? [...new Set(paths.map((path: string) => path.split('.').at(-1)))].sort()
        : paths;
    for (const [key, value] of Object.entries(JSON.parse(written.configJson) as typeof peft)) {
      const isList = key === 'target_modules' || key === 'feedforward_modules';
      expect(value, key).toEqual(isList ? modulesOf(peft[key], value) : peft[key]);
    }
    const again = readAdapter(written, model, { allowChangedBase: true });
    expect(again.config).toEqual(loaded.config);
    expect(again.values).toEqual(loaded.values);
    expect(writeAdapter(again, model, String(peft.base_model_name_or_path))).toEqual(written);
  });

  it('refuses factors that fit only a changed base, and takes their plain form', async () => {
    for (const name of ['pissa', 'pissa-rslora', 'olora']) {
      const { model, files } = await readFolder(`methods/${name}/final-adapter`);
      expect(() => readAdapter(files, model)).toThrow(
        expect.objectContaining({ code: 'changed-base' }),
      );
      const converted = await readFolder(`methods/${name}/final-converted`);
      expect(() => readAdapter(converted.files, model)).not.toThrow();
    }
  });

  it('takes no notice of a start that left the base alone, where the weights are given', async () => {
    const { model, files } = await readFolder('methods/loraplus/final-adapter');
    const startingWith = (init_lora_weights: unknown) => ({
      ...files,
      configJson: JSON.stringify({ ...JSON.parse(files.configJson), init_lora_weights }),
    });
    const plain = readAdapter(files, model);
    const starts = [false, null, 'gaussian', 'Gaussian', 'orthogonal', 'eva', 'mica'];
    for (const start of starts) expect(readAdapter(startingWith(start), model)).toEqual(plain);
    for (const start of ['corda', 'lora_ga', 'pissa', 'pissa_niter_0', 'OLoRA'])
      expect(() => readAdapter(startingWith(start), model), start).toThrow(
        expect.objectContaining({
          code: 'changed-base',
          message: expect.stringMatching(/its start taken out\. .*path_initial_model/),
        }),
      );
    expect(() => readAdapter(startingWith('loftq'), model)).toThrow(
      /init_lora_weights loftq.*rounded to few bits\. Merge it into that base/,
    );
    // Of these PEFT knows no more than we do.
    for (const start of ['xavier', 1, {}])
      expect(() => readAdapter(startingWith(start), model)).toThrow(/init_lora_weights is/);
    // A recipe says what a run would begin with: there what needs data, or another training, is refused by name.
    const refused = ['eva', 'mica', 'corda', 'lora_ga', 'loftq', 'Orthogonal', 'true', 1, 'xavier'];
    for (const start of [...refused, 'pissa_niter_0', 'pissa_niter_100', 'pissa_niter_'])
      expect(() => readLoraConfig({ init_lora_weights: start }, 'recipe')).toThrow(
        `recipe: init_lora_weights is ${JSON.stringify(start)}, which is not supported; supported: true, gaussian, orthogonal, false, pissa, pissa_niter_1 to 99, olora.`,
      );
    const startOf = (init_lora_weights: unknown) =>
      readLoraConfig({ init_lora_weights }, 'recipe').init_lora_weights;
    const taken = [true, false, 'gaussian', 'orthogonal', 'pissa', 'pissa_niter_99', 'olora'];
    expect(taken.map(startOf)).toEqual(taken);
    expect([null, 'Gaussian', 'OLoRA'].map(startOf)).toEqual([true, 'gaussian', 'olora']);
  });

  it('refuses the files of another method or model, naming the tensor', async () => {
    const dora = await readFolder('methods/dora/final-adapter');
    const plain = dora.files.configJson.replace('"use_dora": true', '"use_dora": false');
    expect(() => readAdapter({ ...dora.files, configJson: plain }, dora.model)).toThrow(
      /lora_magnitude_vector, which this model has no place for/,
    );
    const prefix = await readFolder('methods/prefix-llama-gqa/final-adapter');
    expect(() => readAdapter(prefix.files, dora.model)).not.toThrow();
    const { model: other } = await readFolder('methods/ia3-qwen2/final-adapter');
    expect(() => readAdapter(prefix.files, other)).toThrow(/prompt_embeddings has shape/);
    expect(() =>
      readAdapter({ ...dora.files, configJson: prefix.files.configJson }, other),
    ).toThrow(expect.objectContaining({ code: 'missing-tensor' }));
  });
});

describe("PEFT's adapter files", () => {
  it.each(['llama-tied', 'llama-untied-gqa', 'llama-bias', 'qwen2', 'qwen2-untied', 'qwen3'])(
    '%s: what is read and written again has the same tensors, byte for byte',
    async (name) => {
      const { config } = await openGolden(name);
      const model = adaptedModel(config);
      const files = filesOf(name);
      const loaded = readAdapter(files, model);
      const { config: lora, values } = loaded;
      const written = writeAdapter(loaded, model, name);
      const again = readAdapter(written, model);
      expect(again.config).toEqual(lora);
      expect(again.values).toEqual(values);
      expect(Buffer.from(written.weights).equals(Buffer.from(files.weights))).toBe(true);
    },
  );

  it("name their base by the hub's name and commit, where these are known, and the rest stays", async () => {
    const { config } = await openGolden('llama-tied');
    const model = adaptedModel(config);
    const loaded = readAdapter(filesOf('llama-tied'), model);
    const fieldsOf = (text: string) => JSON.parse(text) as Record<string, unknown>;
    const base = { nameOrPath: 'HuggingFaceTB/SmolLM2-135M-Instruct', revision: 'a'.repeat(40) };
    const named = {
      base_model_name_or_path: 'HuggingFaceTB/SmolLM2-135M-Instruct',
      revision: 'a'.repeat(40),
    };
    const written = writeAdapter(loaded, model, base).configJson;
    expect(fieldsOf(written)).toMatchObject(named);
    const old = writeAdapter(loaded, model, 'SmolLM2 135M Instruct').configJson;
    expect(fieldsOf(old)).toMatchObject({
      base_model_name_or_path: 'SmolLM2 135M Instruct',
      revision: null,
    });
    expect(fieldsOf(withBaseModel(old, base))).toEqual(fieldsOf(written));
    const { configJson } = filesOf('llama-tied');
    expect(fieldsOf(withBaseModel(configJson, base))).toEqual({
      ...fieldsOf(configJson),
      ...named,
    });
  });

  it('refuses an adapter that was made for another model, naming the tensor and both shapes', async () => {
    const { config } = await openGolden('llama-untied-gqa');
    const wrong = () => readAdapter(filesOf('llama-tied'), adaptedModel(config));
    expect(wrong).toThrow(/q_proj.lora_A.weight has shape \[4,32\], this model needs \[4,64\]/);
    expect(wrong).toThrow(expect.objectContaining({ code: 'wrong-model' }));
  });

  it('refuses missing and surplus tensors and values that are no numbers', async () => {
    const { config } = await openGolden('llama-tied');
    const model = adaptedModel(config);
    const files = filesOf('llama-tied');
    const more = files.configJson.replace('"q_proj"', '"q_proj", "o_proj"');
    expect(() => readAdapter({ ...files, configJson: more }, model)).toThrow(
      expect.objectContaining({ code: 'missing-tensor' }),
    );
    const fewer = JSON.stringify({ ...JSON.parse(files.configJson), target_modules: ['q_proj'] });
    expect(() => readAdapter({ ...files, configJson: fewer }, model)).toThrow(
      /v_proj.*no place for/,
    );
    const bad = files.weights.slice();
    bad.set(new Uint8Array(Float32Array.of(NaN).buffer), bad.length - 4);
    expect(() => readAdapter({ ...files, weights: bad }, model)).toThrow(
      expect.objectContaining({ code: 'not-finite' }),
    );
    expect(() => readAdapter(files, model)).not.toThrow();
  });

  it('survives any damage with an error of ours', async () => {
    const { config } = await openGolden('llama-tied');
    const files = filesOf('llama-tied');
    const damage = fc.tuple(fc.nat(files.weights.length - 1), fc.nat(255), fc.boolean());
    fc.assert(
      fc.property(damage, ([at, byte, cut]) => {
        const weights = cut ? files.weights.slice(0, at) : files.weights.slice();
        if (!cut) weights[at] = byte;
        try {
          readAdapter({ ...files, weights }, adaptedModel(config));
        } catch (error) {
          expect(error).toBeInstanceOf(InkstoneError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('a fresh LoRA', () => {
  it('has A uniform within 1/sqrt(in), B zero, and the base bias where biases are trained', async () => {
    const { config } = await openGolden('llama-bias');
    const model = adaptedModel(config);
    const lora = { ...readAdapter(filesOf('llama-bias'), model).config, r: 8 };
    const layout = layoutAdapter(model, lora);
    const values = await initAdapter(layout, lora, 1, async (name) =>
      new Float32Array(model.layers.find(({ path }) => `${path}.bias` === name)!.outFeatures).fill(
        0.5,
      ),
    );
    for (const { kind, shape, offset, count } of layout.parameters) {
      const part = values.subarray(offset, offset + count);
      if (kind === 'lora_B') expect(part.every((value) => value === 0)).toBe(true);
      if (kind === 'bias') expect(part.every((value) => value === 0.5)).toBe(true);
      if (kind !== 'lora_A') continue;
      const bound = 1 / Math.sqrt(shape[1]);
      expect(Math.max(...part.map(Math.abs))).toBeLessThanOrEqual(bound);
      const variance = part.reduce((sum, value) => sum + value * value, 0) / count;
      expect(variance / (bound ** 2 / 3)).toBeGreaterThan(0.8);
      expect(variance / (bound ** 2 / 3)).toBeLessThan(1.2);
    }
    expect(await initAdapter(layout, lora, 1, async () => new Float32Array(1))).not.toEqual(
      await initAdapter(layout, lora, 2, async () => new Float32Array(1)),
    );
  });

  it('starts every parameter at a multiple of 256 bytes and lets only biases go without decay', async () => {
    const { config } = await openGolden('llama-bias');
    const model = adaptedModel(config);
    const { config: lora } = readAdapter(filesOf('llama-bias'), model);
    const { parameters, groups } = layoutAdapter(model, lora);
    for (const { offset, count, kind } of parameters) {
      expect(offset % 64).toBe(0);
      const group = groups.find((g) => offset >= g.offset && offset < g.offset + g.count)!;
      expect(offset + count).toBeLessThanOrEqual(group.offset + group.count);
      expect(group.decay).toBe(kind !== 'bias');
      expect(group.fast).toBe(kind !== 'lora_A');
    }
  });
});
