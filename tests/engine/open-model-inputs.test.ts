/** Plan: what is held has the adapter's values; it is given back to the byte; a shortage ends here and leaves no trace. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_IA3_CONFIG, FULL_TUNING, readLoraConfig, type PeftConfig } from '$lib/config';
import { adaptedModel, ModelWeights } from '$lib/decoder';
import { holdLoaded, holdTrained, type GpuBase } from '$lib/engine/open-model-inputs';
import type { Gpu, Tensor } from '$lib/gpu';
import type { AdapterInputs } from '$lib/inference';
import { AdapterState, layoutAdapter, type AdapterParameter, type LoadedAdapter } from '$lib/peft';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { limitMemory } from '../gpu/scarce-memory';

const METHODS: Record<string, PeftConfig> = {
  LoRA: readLoraConfig({ r: 2 }, 'test'),
  DoRA: readLoraConfig({ r: 2, use_dora: true }, 'test'),
  IA3: DEFAULT_IA3_CONFIG,
  'full fine-tuning': FULL_TUNING,
};

describe('inputs on the GPU', () => {
  let gpu: Gpu;
  let base: GpuBase;
  /** Bytes beyond what is live now. */
  let allow: (bytes: number) => void;

  beforeAll(async () => {
    gpu = await requestTestGpu();
    const { config, checkpoint } = await openGolden('llama-tied');
    base = { gpu, config, weights: await ModelWeights.upload(gpu, config, checkpoint.source) };
    const unlimitedBytes = gpu.liveBytes;
    const limit = limitMemory(gpu.device, Infinity);
    allow = (bytes) => limit(gpu.liveBytes - unlimitedBytes + bytes);
  });
  afterAll(() => gpu.dispose());

  function loadedAdapter(config: PeftConfig): LoadedAdapter {
    const layout = layoutAdapter(adaptedModel(base.config), config);
    const values = Float32Array.from({ length: layout.flatCount }, (_, i) => 1 + (i % 251) / 256);
    return { config, layout, values };
  }

  /** Where a session finds a parameter; a magnitude is there only as a factor that is computed of it. */
  function inputOf(inputs: AdapterInputs, { key, path, kind }: AdapterParameter) {
    if (kind === 'lora_A' || kind === 'lora_B') return inputs.tensors.get(key);
    if (kind === 'tensor') return inputs.weights?.get(path);
    return inputs.rows?.byPath.get(path) ?? inputs.columns?.byPath.get(path);
  }

  async function expectValues(inputs: AdapterInputs, { layout, values }: LoadedAdapter) {
    for (const parameter of layout.parameters) {
      const { key, kind, offset, count } = parameter;
      const tensor = inputOf(inputs, parameter) as Tensor;
      expect(tensor.memory?.offset, key).toBe(0);
      if (kind === 'lora_magnitude_vector') continue;
      expect(await gpu.readFloats(tensor), key).toEqual(values.slice(offset, offset + count));
    }
  }

  for (const [name, config] of Object.entries(METHODS)) {
    it(`have the values of ${name}, and are given back`, async () => {
      const adapter = loadedAdapter(config);
      const before = gpu.liveBytes;
      const { inputs, giveBack } = await holdLoaded(base, adapter);
      await expectValues(inputs, adapter);
      giveBack!();
      expect(gpu.liveBytes).toBe(before);

      const { layout, values } = adapter;
      const state = new AdapterState(gpu, layout, config, values, { trainable: true });
      const training = gpu.liveBytes;
      for (let round = 0; round < 2; round++) {
        const held = await holdTrained(base, state);
        await expectValues(held.inputs, adapter);
        held.giveBack!();
        expect(gpu.liveBytes).toBe(training);
      }
      state.dispose();
    });

    it(`of ${name} that find no memory are refused, and nobody later is told of it`, async () => {
      const adapter = loadedAdapter(config);
      const { layout, values } = adapter;
      const state = new AdapterState(gpu, layout, config, values, { trainable: true });
      const before = gpu.liveBytes;
      const makers = [() => holdLoaded(base, adapter), () => holdTrained(base, state)];
      for (const make of makers) {
        const control = await make();
        const needed = gpu.liveBytes - before;
        control.giveBack!();
        for (const share of [0, 0.3, 0.7, 0.999]) {
          allow(share * needed);
          await expect(make(), `${share} of the memory`).rejects.toMatchObject({
            code: 'out-of-memory',
          });
          expect(gpu.liveBytes).toBe(before);
          await gpu.checked('the step after', () => undefined);
        }
        allow(Infinity);
        (await make()).giveBack!();
      }
      state.dispose();
    });
  }
});
