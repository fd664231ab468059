/**
 * Twelve steps of transformers' Trainer with each method of PEFT, and with none: every loss, norm and rate, the
 * final state, the merged weights, and the final model's logits.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  linearSites,
  readPeftConfig,
  readTrainingArguments,
  ropeTables,
  startsFromWeights,
  type JsonObject,
} from '$lib/config';
import {
  adaptedModel,
  Decoder,
  mergedSource,
  ModelWeights,
  NO_ADAPTER,
  parameterShapes,
  prefixLength,
  prepareAdapter,
  type Adapter,
  type TensorSource,
} from '$lib/decoder';
import { Arena, PlanBuilder, type Gpu } from '$lib/gpu';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import { readAdapter, type LoadedAdapter } from '$lib/peft';
import { adapterOf, Trainer, type StepReport } from '$lib/training';
import { requestTestGpu } from '../dawn';
import { goldenPath, openGolden, readJson, readTensors, relativeL2 } from '../goldens';
import { readRows } from './rows';

interface ExpectedStep {
  step: number;
  loss: number;
  grad_norm: number;
  learning_rate: number;
  num_target_tokens: number;
}

const CASES = readdirSync(goldenPath('methods'));
/** As in goldens.test.ts. */
const FINAL = 1e-3;
const LOGITS = 1e-4;

/** The values that 4-bit weights stand for, as a checkpoint. */
function quantisedSource(weights: ModelWeights): TensorSource {
  const shapes = new Map(parameterShapes(weights.config).map(({ name, shape }) => [name, shape]));
  return async (name) => {
    const { buffer } = await weights.readFloats(name);
    return { dtype: 'F32', shape: shapes.get(name)!, bytes: new Uint8Array(buffer) };
  };
}

describe('methods against PEFT and the Trainer', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const read = (folder: string, model: Parameters<typeof readAdapter>[1]) =>
    readAdapter(
      {
        configJson: readFileSync(`${folder}/adapter_config.json`, 'utf8'),
        weights: new Uint8Array(readFileSync(`${folder}/adapter_model.safetensors`)),
      },
      model,
      { allowChangedBase: true },
    );

  /** Logits of the golden's two rows where its mask is 1. */
  const compareLogits = async (
    name: string,
    config: Parameters<typeof linearSites>[0],
    weights: ModelWeights,
    adapter: Adapter,
  ) => {
    const golden = readTensors(goldenPath(`methods/${name}/logits.safetensors`));
    const { integers: ids, shape } = golden.get('input_ids')!;
    const [B, T] = shape;
    const P = prefixLength(adapter.prefix);
    const tables = ropeTables(config, P + T);
    const half = config.headDim / 2;
    const plan = new PlanBuilder(gpu, 'logits');
    const integers = (data: Int32Array) => gpu.createTensor('rows', [B * T], 'i32', data);
    const step = createStepState(gpu);
    uploadStepState(gpu, step, {
      dropoutSeed: 0,
      targetCount: 0,
      lossScale: 0,
      learningRate: 0,
      biasCorrection1: 1,
      biasCorrection2: 1,
    });
    prepareAdapter(plan, linearSites(config), weights, adapter);
    const rotary = {
      cos: gpu.createTensor('cos', [T, half], 'f32', tables.cos.subarray(P * half)),
      sin: gpu.createTensor('sin', [T, half], 'f32', tables.sin.subarray(P * half)),
    };
    const batch = {
      B,
      T,
      ids: integers(ids),
      rowIndex: integers(new Int32Array(B * T)),
      targets: integers(new Int32Array(B * T)),
    };
    const input = { config, weights, adapter, rotary, batch, step };
    const logits = plan.keep(new Decoder(plan, input, false).logits());
    await (await plan.build(new Arena(gpu, 'logits'))).run();
    const found = await gpu.readFloats(logits);
    const mask = golden.get('attention_mask')!.integers;
    const real = (values: Float32Array) =>
      values.filter((_, index) => mask[Math.floor(index / config.vocabSize)] === 1);
    expect(relativeL2(real(found), real(golden.get('logits')!.floats))).toBeLessThan(LOGITS);
  };

  it.each(CASES)('%s', async (name) => {
    const folder = goldenPath(`methods/${name}`);
    const { model } = readJson<{ model: string }>(`methods/${name}/case.json`);
    const golden = await openGolden(model);
    const settings = readJson<JsonObject>(`methods/${name}/config.json`);
    const { config } = golden;
    const adapted = adaptedModel(config);
    const peft = readPeftConfig(settings, 'config.json');
    const isFull = peft.peft_type === 'FULL';
    const storage = settings.load_in_4bit ? 'nf4' : 'f32';
    const weights = await ModelWeights.upload(gpu, config, golden.checkpoint.source, { storage });
    const trainer = await Trainer.create({
      gpu,
      config,
      weights,
      peft,
      args: readTrainingArguments(settings, 'config.json'),
      rows: readRows(`${folder}/dataset.jsonl`),
      initialValues: isFull ? undefined : read(`${folder}/init-adapter`, adapted).values,
    });
    const reports: StepReport[] = [];
    await trainer.run({ onStep: (report) => reports.push(report) });
    const { steps } = readJson<{ steps: ExpectedStep[] }>(`methods/${name}/expected.json`);
    expect(reports).toHaveLength(steps.length);
    for (const [index, { step, loss, grad_norm, learning_rate }] of steps.entries()) {
      const where = `step ${step}`;
      expect(Math.abs(reports[index].loss / loss - 1), where).toBeLessThan(2e-4);
      expect(Math.abs(reports[index].grad_norm / grad_norm - 1), where).toBeLessThan(2e-4);
      expect(reports[index].learning_rate, where).toBeCloseTo(learning_rate, 12);
    }

    const checkpoint = await trainer.checkpoint();
    const values = checkpoint.values;
    const final = isFull
      ? readTensors(`${folder}/final.safetensors`)
      : readTensors(`${folder}/final-adapter/adapter_model.safetensors`);
    for (const { key, offset, count } of trainer.layout.parameters)
      expect(
        relativeL2(values.subarray(offset, offset + count), final.get(key)!.floats),
        key,
      ).toBeLessThan(FINAL);

    const adapter: LoadedAdapter = adapterOf(checkpoint, peft, adapted);
    // PiSSA and OLoRA are known to the world as plain LoRA.
    if (peft.peft_type === 'LORA' && startsFromWeights(peft)) {
      const expected = read(`${folder}/final-converted`, adapted);
      expect(adapter.config).toEqual(expected.config);
      expect(relativeL2(adapter.values, expected.values)).toBeLessThan(FINAL);
    }
    await compareLogits(name, config, weights, trainer.adapter);
    if (peft.peft_type !== 'PREFIX_TUNING') {
      // Merged into the base that was trained on, as the golden is; into the file's own: qlora-merged.test.ts.
      const base = storage === 'nf4' ? quantisedSource(weights) : golden.checkpoint.source;
      const source = mergedSource(base, adapter);
      const merged = await ModelWeights.upload(gpu, config, source);
      // Of a fine-tuning of every parameter there is nothing to merge: its final state is the merged one.
      const expected = isFull ? final : readTensors(`${folder}/merged.safetensors`);
      expect(expected.size).toBeGreaterThan(0);
      for (const [key, { floats }] of expected)
        expect(relativeL2(await merged.readFloats(key), floats), key).toBeLessThan(
          isFull ? FINAL : 1e-5,
        );
      await compareLogits(name, config, merged, NO_ADAPTER);
      merged.dispose();
    }
    trainer.dispose();
    weights.dispose();
  });
});
