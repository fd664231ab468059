/**
 * Adapters whose layers have ranks and scales of their own, as a session reads them. Plan: on either backend one scale
 * of 1 and each layer's own in its B; A and what has one scale for all are as they were; only the target layers have
 * inputs; nothing is left of it on the GPU.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { adaptedModel, ModelWeights } from '$lib/decoder';
import { hostInputs } from '$lib/engine/adapter-inputs';
import { holdLoaded } from '$lib/engine/open-model-inputs';
import type { Gpu, Tensor } from '$lib/gpu';
import type { AdapterInputs } from '$lib/inference';
import { checkAdapter } from '$lib/inference/adapter-inputs';
import { readAdapter, type LoadedAdapter } from '$lib/peft';
import { requestTestGpu } from '../dawn';
import { goldenPath, openGolden, readJson } from '../goldens';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await requestTestGpu();
});
afterAll(() => gpu.dispose());

async function open(name: string) {
  const { model } = readJson<{ model: string }>(`methods/${name}/case.json`);
  const { config, checkpoint } = await openGolden(model);
  const folder = goldenPath(`methods/${name}/final-adapter`);
  const files = {
    configJson: readFileSync(`${folder}/adapter_config.json`, 'utf8'),
    weights: new Uint8Array(readFileSync(`${folder}/adapter_model.safetensors`)),
  };
  const adapter = readAdapter(files, adaptedModel(config));
  const weights = await ModelWeights.upload(gpu, config, checkpoint.source);
  const base = (tensor: string) => weights.readFloats(tensor);
  return { config, adapter, weights, base };
}

/** Their products are the adapter's: A as it is, scale x B as its own scale x B. */
async function expectFactors(
  inputs: AdapterInputs,
  { layout, values }: LoadedAdapter,
  read: (key: string) => Promise<Float32Array>,
) {
  expect([...inputs.targets].sort()).toEqual([...layout.lora.keys()].sort());
  const factors = layout.parameters.filter(({ kind }) => kind === 'lora_A' || kind === 'lora_B');
  expect(inputs.tensors.size).toBe(factors.length);
  for (const { key, kind, path, shape, offset, count } of factors) {
    expect(inputs.tensors.get(key)!.shape).toEqual(shape);
    const { scale } = layout.lora.get(path)!;
    const factor = kind === 'lora_A' ? 1 : Math.fround(scale / inputs.scale);
    const expected = values.slice(offset, offset + count).map((value) => factor * value);
    expect(await read(key), key).toEqual(expected);
  }
}

it.each([
  ['patterns-layers', 1],
  ['dora-rslora-patterns', 1],
  ['regex-exclude', 2],
])('%s: one scale of %i for all, the rest in B', async (name, scale) => {
  const { config, adapter, weights, base } = await open(name);
  const before = gpu.liveBytes;
  const host = await hostInputs(config, adapter, base);
  const held = await holdLoaded({ gpu, config, weights }, adapter);
  for (const inputs of [host, held.inputs]) {
    expect(inputs.scale).toBe(scale);
    checkAdapter(config, inputs);
  }
  await expectFactors(host, adapter, async (key) => {
    const tensor = host.tensors.get(key)!;
    return 'data' in tensor ? tensor.data : new Float32Array();
  });
  await expectFactors(held.inputs, adapter, (key) =>
    gpu.readFloats(held.inputs.tensors.get(key) as Tensor),
  );
  held.giveBack!();
  await gpu.idle();
  expect(gpu.liveBytes).toBe(before);
  weights.dispose();
});

it('factors of one layer that differ in rank are refused by name', async () => {
  const { config, adapter, base } = await open('patterns-layers');
  const inputs = await hostInputs(config, adapter, base);
  const [key, tensor] = [...inputs.tensors].find(([name]) => name.includes('lora_B'))!;
  const [features] = tensor.shape;
  const odd = { shape: [features, 1], data: new Float32Array(features) };
  expect(() =>
    checkAdapter(config, { ...inputs, tensors: new Map([...inputs.tensors, [key, odd]]) }),
  ).toThrow(/A of .*q_proj has rank 2, B has 1; they go in pairs/);
});
