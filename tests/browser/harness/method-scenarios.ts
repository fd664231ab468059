/** Every method's adapter, talked to: PEFT's logits on either backend, and the cache changes no choice. */
import { parsePeftConfig, FULL_TUNING, type PeftConfig } from '../../../src/lib/config';
import { adaptedModel, ModelWeights, type TensorSource } from '../../../src/lib/decoder';
import { gpuInputs, hostInputs } from '../../../src/lib/engine/adapter-inputs';
import { Gpu } from '../../../src/lib/gpu';
import { TextSession, type AdapterInputs, type Backend } from '../../../src/lib/inference';
import { indexOfLargest } from '../../../src/lib/inference/sampler';
import { AdapterState, layoutAdapter, type LoadedAdapter } from '../../../src/lib/peft';
import { GREEDY, worst } from './comparison';
import { openGolden, readTensors, repositoryText, type TestModel } from './models';

const folderOf = (name: string) => `tests/reference/goldens/methods/${name}`;

/** The final adapter; PiSSA's and OLoRA's as the plain LoRA that they were converted to. */
async function openMethod(name: string, { config }: TestModel): Promise<LoadedAdapter> {
  const { peft_type, init_lora_weights } = JSON.parse(
    await repositoryText(`${folderOf(name)}/config.json`),
  ) as { peft_type: string; init_lora_weights?: unknown };
  if (peft_type === 'FULL') return fill(FULL_TUNING, config, `${folderOf(name)}/final.safetensors`);
  const converted = typeof init_lora_weights === 'string';
  const folder = `${folderOf(name)}/${converted ? 'final-converted' : 'final-adapter'}`;
  const peft = parsePeftConfig(await repositoryText(`${folder}/adapter_config.json`));
  return fill(peft, config, `${folder}/adapter_model.safetensors`);
}

async function fill(
  config: PeftConfig,
  model: TestModel['config'],
  path: string,
): Promise<LoadedAdapter> {
  const layout = layoutAdapter(adaptedModel(model), config);
  const { floats } = await readTensors(path);
  const values = new Float32Array(layout.flatCount);
  for (const { key, offset } of layout.parameters) values.set(floats.get(key)!.data, offset);
  return { config, layout, values };
}

/** Session and inputs; a fully tuned model has no inputs on the CPU, where it is a model of its own. */
async function open(model: TestModel, adapter: LoadedAdapter, backend: Backend) {
  const { weights: floats, ...shared } = model;
  const source: TensorSource = async (name) => {
    const value = floats.get(name);
    return (
      value && {
        dtype: 'F32',
        shape: value.shape,
        bytes: new Uint8Array(value.data.slice().buffer),
      }
    );
  };
  const base = async (name: string) => floats.get(name)!.data;
  if (backend === 'wasm')
    return {
      session: await TextSession.create({ ...shared, host: { weights: base } }),
      inputs: await hostInputs(model.config, adapter, base),
    };
  const gpu = await Gpu.request(navigator.gpu);
  const weights = await ModelWeights.upload(gpu, model.config, source);
  const { layout, config, values } = adapter;
  const state = new AdapterState(gpu, layout, config, values, { trainable: false });
  return {
    session: await TextSession.create({
      ...shared,
      gpu: { device: gpu, weights: weights.tensors },
    }),
    inputs: await gpuInputs(gpu, model.config, weights, state),
  };
}

async function methodLogits(name: string, backend: Backend) {
  const { model: base } = JSON.parse(await repositoryText(`${folderOf(name)}/case.json`)) as {
    model: string;
  };
  const model = await openGolden(base);
  const { session, inputs } = await open(model, await openMethod(name, model), backend);
  const { floats, ints } = await readTensors(`${folderOf(name)}/logits.safetensors`);
  const ids = ints.get('input_ids')!;
  const mask = ints.get('attention_mask')!;
  const [rows, width] = ids.shape;
  const vocab = model.config.vocabSize;
  const result = { difference: 0, fromBase: Infinity };
  let prompt: number[] = [];
  for (let row = 0; row < rows; row++) {
    const length = mask.data.subarray(row * width, (row + 1) * width).reduce((a, b) => a + b, 0);
    prompt = Array.from(ids.data.subarray(row * width, row * width + length));
    const start = row * width * vocab;
    const expected = floats.get('logits')!.data.subarray(start, start + length * vocab);
    const found = await session.logits(prompt, inputs);
    result.difference = Math.max(result.difference, worst(found, expected));
    result.fromBase = Math.min(result.fromBase, worst(await session.logits(prompt), expected));
  }
  const choices = await cacheChoices(session, inputs, prompt, vocab);
  await session.dispose();
  return { ...result, ...choices };
}

/** Greedy decoding with the cache, and what one pass over everything chooses. */
async function cacheChoices(
  session: TextSession,
  adapter: AdapterInputs,
  promptIds: readonly number[],
  vocab: number,
) {
  const { ids } = await session.generate({ promptIds, generation: GREEDY, adapter });
  const logits = await session.logits([...promptIds, ...ids], adapter);
  const expected = ids.map((_, i) => {
    const at = (promptIds.length + i - 1) * vocab;
    return indexOfLargest(logits.subarray(at, at + vocab));
  });
  return { generated: ids, expected };
}

export const methodScenarios = { methodLogits };
