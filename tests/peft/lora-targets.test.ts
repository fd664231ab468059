/**
 * Which layers a config means, with what rank, alpha and scale. Plan:
 * - over many configs and a model of twelve blocks, what PEFT's own functions say: lists, paths, expressions,
 *   exclusions, blocks, patterns of ranks and alphas
 * - IA3's inner layers by an expression, a path, and PEFT's loose ends
 * - no layer at all is an error that names what took them out; what is no linear layer of a block is named
 * - a list of paths that means every block is read as its modules, any other list stays
 * - a config that stands for the whole model on few layers: its modules, its largest rank
 * - expressions that ask for too much end in one sentence
 */
import { describe, expect, it } from 'vitest';
import {
  loraScale,
  parseModelConfig,
  readPeftConfig,
  type Ia3Config,
  type JsonObject,
  type LoraConfig,
} from '$lib/config';
import { adaptedModel } from '$lib/decoder';
import {
  initAdapter,
  layoutAdapter,
  loraTargets,
  onEveryLayer,
  readAdapter,
  writeAdapter,
} from '$lib/peft';
import { ia3Targets } from '$lib/peft/lora-targets';
import { readJson } from '../goldens';

interface Golden {
  modules: string[];
  cases: {
    config: JsonObject;
    targets?: [path: string, r: number, alpha: number][];
    refused?: string;
  }[];
}
const { cases } = readJson<Golden>('targets.json');
const config = readJson<JsonObject>('models/llama-tied/config.json');
const modelOf = (layers: number) =>
  adaptedModel(parseModelConfig(JSON.stringify({ ...config, num_hidden_layers: layers })));
const MODEL = modelOf(12);
const lora = (settings: JsonObject) =>
  readPeftConfig({ r: 8, lora_alpha: 16, ...settings }, 'test') as LoraConfig;

describe('as PEFT has it', () => {
  it.each(cases)('$config', ({ config: settings, targets, refused }) => {
    const read = lora(settings);
    const resolve = () => loraTargets(MODEL, read);
    if (refused !== undefined)
      return expect(resolve).toThrow(expect.objectContaining({ code: 'unsupported-target' }));
    if (targets!.length === 0)
      return expect(resolve).toThrow(expect.objectContaining({ code: 'no-target' }));
    const found = resolve();
    expect(found.map(({ layer, r, alpha }) => [layer.path, r, alpha])).toEqual(targets);
    const { use_rslora } = read;
    for (const { r, alpha, scale } of found)
      expect(scale).toBe(loraScale({ r, lora_alpha: alpha, use_rslora }));
    const { parameters, lora: byPath } = layoutAdapter(MODEL, read);
    for (const { path, kind, shape } of parameters)
      expect(shape[kind === 'lora_A' ? 0 : 1], path).toBe(byPath.get(path)!.r);
  });

  it('IA3: inner layers by an expression, by a path, and by an end that no dot begins', () => {
    const innerOf = (settings: JsonObject) =>
      ia3Targets(modelOf(2), readPeftConfig({ peft_type: 'IA3', ...settings }, 't') as Ia3Config)
        .filter(({ inner }) => inner)
        .map(({ layer }) => layer.path);
    const all = ['model.layers.0.mlp.down_proj', 'model.layers.1.mlp.down_proj'];
    expect(innerOf({})).toEqual(all);
    expect(
      innerOf({ target_modules: '.*_proj', feedforward_modules: 'model.layers.1.*down.*' }),
    ).toEqual(all.slice(1));
    const target_modules = ['0.mlp.down_proj', 'k_proj'];
    expect(innerOf({ target_modules, feedforward_modules: ['0.mlp.down_proj'] })).toEqual(
      all.slice(0, 1),
    );
    expect(innerOf({ exclude_modules: ['layers.0.mlp.down_proj'] })).toEqual(all.slice(1));
  });
});

it('no layer at all is an error that names what took them out, in one sentence', () => {
  const refuse = (settings: JsonObject) => () => layoutAdapter(modelOf(2), lora(settings));
  expect(refuse({ target_modules: ['layers.7.self_attn.q_proj'] })).toThrow(
    /^target_modules \(layers.7.self_attn.q_proj\) names no layer of this model\.$/,
  );
  expect(refuse({ layers_to_transform: [7], exclude_modules: ['v_proj'] })).toThrow(
    /\(q_proj, v_proj\) less what exclude_modules and layers_to_transform take out names no layer/,
  );
  expect(refuse({ layers_to_transform: [1], exclude_modules: ['v_proj'] })).not.toThrow();
  // What patterns name and the model has not changes nothing.
  expect(refuse({ rank_pattern: { c_attn: 2 }, alpha_pattern: { 'h.0': 3 } })).not.toThrow();
});

it('an expression that reaches what is no linear layer of a block names it', () => {
  const resolve = (settings: JsonObject) => () => loraTargets(MODEL, lora(settings));
  expect(resolve({ target_modules: '.*(_proj|norm)' })).toThrow(
    /target_modules \(\.\*\(_proj\|norm\)\) matches model\.\S*norm, which is no linear layer/,
  );
  expect(resolve({ target_modules: '.*(_proj|act_fn)' })).toThrow(/mlp\.act_fn/);
  expect(resolve({ target_modules: '.*_proj' })).not.toThrow();
});

describe('a list of paths', () => {
  const readBack = async (settings: JsonObject) => {
    const read = readPeftConfig(settings, 'test');
    const layout = layoutAdapter(MODEL, read);
    const values = await initAdapter(layout, read, 1, async () => new Float32Array());
    const files = writeAdapter({ config: read, layout, values }, MODEL, 'x');
    const again = readAdapter(files, MODEL);
    expect(again.layout).toEqual(layout);
    expect(again.values).toEqual(values);
    return again.config as LoraConfig;
  };
  const paths = MODEL.layers.filter(({ module }) => module === 'up_proj').map(({ path }) => path);

  it('that means every block is read as its modules', async () => {
    expect((await readBack({ target_modules: paths })).target_modules).toEqual(['up_proj']);
    expect((await readBack({ target_modules: ['mlp.up_proj'] })).target_modules).toEqual([
      'up_proj',
    ]);
    const ia3 = { peft_type: 'IA3', target_modules: paths, feedforward_modules: paths };
    expect(await readBack(ia3)).toMatchObject({ feedforward_modules: ['up_proj'] });
  });

  it('of some blocks stays, and so does an expression', async () => {
    const some = paths.slice(0, 2);
    expect((await readBack({ target_modules: some })).target_modules).toEqual(some);
    expect((await readBack({ target_modules: '.*up_proj' })).target_modules).toBe('.*up_proj');
  });
});

it('on few layers the method stands for the whole model: its modules, its largest rank', () => {
  const settings = {
    ...{ target_modules: '.*\\.(9|11)\\..*(q|up)_proj', exclude_modules: ['9.mlp.up_proj'] },
    rank_pattern: { up_proj: 12 },
  };
  const everywhere = onEveryLayer(MODEL, lora(settings)) as LoraConfig;
  expect(everywhere).toEqual(lora({ target_modules: ['q_proj', 'up_proj'], r: 12 }));
  expect(loraTargets(modelOf(1), everywhere)).toHaveLength(2);
  expect(() => loraTargets(modelOf(1), lora(settings))).toThrow(/names no layer/);
  const plain = lora({});
  expect(onEveryLayer(MODEL, plain)).toEqual(plain);
  const ia3 = readPeftConfig({ peft_type: 'IA3', exclude_modules: ['layers.0.mlp.down_proj'] }, '');
  expect(onEveryLayer(MODEL, ia3)).toEqual(readPeftConfig({ peft_type: 'IA3' }, ''));
});

it('expressions that ask for too much end in one sentence, soon', () => {
  const heavy = '(?:(?!(?:.?){400}!).)*!';
  const begun = performance.now();
  expect(() => loraTargets(modelOf(64), lora({ exclude_modules: heavy }))).toThrow(
    expect.objectContaining({ code: 'costly-pattern' }),
  );
  expect(performance.now() - begun).toBeLessThan(5000);
});

it('as many ranks as a large model has layers are found at once', () => {
  const large = modelOf(80);
  const rank_pattern = Object.fromEntries(
    large.layers.map(({ path }, i) => [
      i % 2 ? path : `^${path.replaceAll('.', '\\.')}`,
      1 + (i % 64),
    ]),
  );
  const begun = performance.now();
  const found = loraTargets(large, lora({ target_modules: 'all-linear', rank_pattern }));
  expect(found.map(({ r }) => r)).toEqual(large.layers.map((_, i) => 1 + (i % 64)));
  expect(performance.now() - begun).toBeLessThan(2000);
});
