/**
 * Every architecture against transformers + PEFT: logits of base, adapter and merged model, the
 * loss, and each trained tensor's gradient, for tied and untied heads, old and new config spelling,
 * llama3 scaling, a window shorter than the text, biases, 16-bit files and shards.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ropeTables } from '$lib/config/rope';
import {
  adaptedModel,
  Decoder,
  mergedSource,
  ModelWeights,
  NO_ADAPTER,
  type Adapter,
  type BatchTensors,
  type WeightStorage,
} from '$lib/decoder';
import { Arena, PlanBuilder, type Gpu } from '$lib/gpu';
import { sumLoss } from '$lib/kernels/cross-entropy';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import { AdapterState, readAdapter } from '$lib/peft';
import { collate, type MicroBatch, type TokenRow } from '$lib/training/batches';
import { requestTestGpu } from '../dawn';
import { openGolden, goldenPath, readTensors, relativeL2 } from '../goldens';

const CASES = [
  'llama-tied',
  'llama-untied-gqa',
  'llama3-scaling',
  'llama-old-spelling',
  'llama-bias',
  'mistral-sliding',
  'qwen2',
  'qwen2-untied',
  'qwen3',
  'llama-bf16',
  'llama-f16',
  'sharded',
];

type Golden = Awaited<ReturnType<typeof openGolden>>;

/** f32 sums in another order than torch's; torch itself is within 1e-6 of float64. */
const LOGITS = 1e-5;
const GRADIENTS = 1e-4;

describe('decoders against transformers and PEFT', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const rowsOf = (golden: Golden): TokenRow[] => {
    const ids = golden.forward.get('input_ids')!;
    const labels = golden.forward.get('labels')!.integers;
    const mask = golden.forward.get('attention_mask')!.integers;
    const [B, T] = ids.shape;
    return Array.from({ length: B }, (_, b) => {
      const length = mask.subarray(b * T, (b + 1) * T).reduce((sum, value) => sum + value, 0);
      const slice = (values: Int32Array) => values.slice(b * T, b * T + length);
      return { inputIds: slice(ids.integers), labels: slice(labels) };
    });
  };

  /** Values at the real positions of padded (B, T', V) data. */
  const realPositions = (values: Float32Array, T: number, V: number, rows: readonly TokenRow[]) =>
    Float32Array.from(
      rows.flatMap(({ inputIds }, b) =>
        Array.from(values.subarray(b * T * V, (b * T + inputIds.length) * V)),
      ),
    );

  const setUp = (golden: Golden, weights: ModelWeights, adapter: Adapter, micro: MicroBatch) => {
    const { config } = golden;
    const tables = ropeTables(config, micro.T);
    const shape = [micro.T, config.headDim / 2];
    const integers = (name: string, data: Int32Array) =>
      gpu.createTensor(name, [micro.B * micro.T], 'i32', data);
    const batch: BatchTensors = {
      B: micro.B,
      T: micro.T,
      ids: integers('ids', micro.ids),
      rowIndex: integers('rowIndex', micro.rowIndex),
      targets: integers('targets', micro.targets),
    };
    const step = createStepState(gpu);
    uploadStepState(gpu, step, {
      dropoutSeed: 1,
      targetCount: micro.targetCount,
      lossScale: 1 / micro.targetCount,
      learningRate: 0,
      biasCorrection1: 1,
      biasCorrection2: 1,
    });
    const rotary = {
      cos: gpu.createTensor('cos', shape, 'f32', tables.cos),
      sin: gpu.createTensor('sin', shape, 'f32', tables.sin),
    };
    return { config, weights, adapter, rotary, batch, step };
  };

  const logitsOf = async (golden: Golden, weights: ModelWeights, adapter: Adapter) => {
    const rows = rowsOf(golden);
    const micro = collate(rows);
    const plan = new PlanBuilder(gpu, 'logits');
    const logits = new Decoder(plan, setUp(golden, weights, adapter, micro), false).logits();
    plan.keep(logits);
    await (await plan.build(new Arena(gpu, 'logits'))).run();
    const values = await gpu.readFloats(logits);
    return realPositions(values, micro.T, golden.config.vocabSize, rows);
  };

  const expectedLogits = (golden: Golden, name: string) => {
    const { floats, shape } = golden.forward.get(name)!;
    return realPositions(floats, shape[1], shape[2], rowsOf(golden));
  };

  it.each(readdirSync(goldenPath('starts')))(
    'adapter logits of what began as %s, which its config still says',
    async (start) => {
      const golden = await openGolden('llama-tied');
      const folder = goldenPath(`starts/${start}`);
      const configJson = readFileSync(`${folder}/adapter_config.json`, 'utf8');
      expect(String((JSON.parse(configJson) as Record<string, unknown>).init_lora_weights)).toBe(
        start,
      );
      const weights = new Uint8Array(readFileSync(`${folder}/adapter_model.safetensors`));
      const loaded = readAdapter({ configJson, weights }, adaptedModel(golden.config));
      expect(loaded.config).toMatchObject({ init_lora_weights: true });
      const { layout, config, values } = loaded;
      const state = new AdapterState(gpu, layout, config, values, { trainable: false });
      const base = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
      const found = await logitsOf(golden, base, state);
      const { floats, shape } = readTensors(`${folder}/logits.safetensors`).get('logits')!;
      const expected = realPositions(floats, shape[1], shape[2], rowsOf(golden));
      expect(relativeL2(found, expected)).toBeLessThan(LOGITS);
      expect(relativeL2(found, expectedLogits(golden, 'logits'))).toBeGreaterThan(1e-3);
    },
  );

  describe.each(CASES)('%s', (name) => {
    let golden: Golden;
    beforeAll(async () => {
      golden = await openGolden(name);
    });

    const upload = (storage: WeightStorage = 'f32') =>
      ModelWeights.upload(gpu, golden.config, golden.checkpoint.source, { storage });
    const adapterState = (trainable: boolean) => {
      const { layout, config, values } = golden.adapter;
      return new AdapterState(gpu, layout, config, values, { trainable });
    };

    it.each(['f32', 'stored'] as const)('base logits, weights kept as %s', async (storage) => {
      const found = await logitsOf(golden, await upload(storage), NO_ADAPTER);
      expect(relativeL2(found, expectedLogits(golden, 'logits'))).toBeLessThan(LOGITS);
    });

    it('adapter logits, and the base ones are different', async () => {
      const found = await logitsOf(golden, await upload(), adapterState(false));
      expect(relativeL2(found, expectedLogits(golden, 'adapter_logits'))).toBeLessThan(LOGITS);
      expect(relativeL2(found, expectedLogits(golden, 'logits'))).toBeGreaterThan(1e-3);
    });

    it('merged weights and their logits', async () => {
      const source = mergedSource(golden.checkpoint.source, golden.adapter);
      const file = goldenPath(`models/${name}/merged.safetensors`);
      const merged = existsSync(file) ? readTensors(file) : new Map();
      const weights = await ModelWeights.upload(gpu, golden.config, source);
      for (const [key, { floats }] of merged)
        expect(relativeL2(await gpu.readFloats(weights.get(key)), floats), key).toBeLessThan(1e-6);
      if (['llama-bf16', 'llama-f16'].includes(name)) return;
      const found = await logitsOf(golden, weights, NO_ADAPTER);
      expect(relativeL2(found, expectedLogits(golden, 'adapter_logits'))).toBeLessThan(LOGITS);
    });

    it('loss and the gradient of every trained tensor', async () => {
      const adapter = adapterState(true);
      const micro = collate(rowsOf(golden));
      const plan = new PlanBuilder(gpu, 'train');
      const loss = plan.tensor('loss', [micro.B * micro.T]);
      const total = gpu.createTensor('total', [1]);
      new Decoder(plan, setUp(golden, await upload(), adapter, micro), true).train(loss);
      sumLoss(plan, { label: '/total', loss, total });
      await (await plan.build(new Arena(gpu, 'train'))).run();
      const [sum] = await gpu.readFloats(total);
      const expected = golden.forward.get('loss')!.floats[0];
      expect(Math.abs(sum / micro.targetCount - expected)).toBeLessThan(1e-5);
      const grads = await gpu.readFloats(adapter.training!.grads);
      for (const { key, offset, count } of adapter.layout.parameters) {
        const reference = golden.forward.get(`grad.${key}`)!.floats;
        expect(relativeL2(grads.subarray(offset, offset + count), reference), key).toBeLessThan(
          GRADIENTS,
        );
      }
    });
  });
});
