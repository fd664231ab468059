/**
 * Plan: weights uploaded as NF4 are bitsandbytes' codes and magnitudes; they lie in as many bytes as predicted;
 * runs over them have the losses, norms and parameters of runs over f32 of the same values, bit for bit, twice,
 * whatever the method; nothing stays on the GPU; what 4 bits cannot do is refused by name.
 *
 * That those values and the run are bitsandbytes' and PEFT's: the case `qlora` of training/methods.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_TRAINING_ARGUMENTS, linearSites, readPeftConfig } from '$lib/config';
import { ModelWeights, parameterShapes, type TensorSource, type WeightStorage } from '$lib/decoder';
import { tensorToFloat32 } from '$lib/formats';
import type { Gpu } from '$lib/gpu';
import { Trainer, type TokenRow } from '$lib/training';
import { requestTestGpu } from '../dawn';
import { goldenPath, openGolden, readTensors, relativeL2 } from '../goldens';

const ROWS: TokenRow[] = Array.from({ length: 8 }, (_, i) => {
  const ids = Int32Array.from({ length: 6 + ((i * 5) % 9) }, (_, t) => (i * 31 + t * 17) % 97);
  return { inputIds: ids, labels: ids };
});

const METHODS = [
  { r: 4, lora_alpha: 8, target_modules: 'all-linear' },
  { r: 4, lora_alpha: 8, target_modules: 'all-linear', use_dora: true, lora_dropout: 0.2 },
  { r: 4, lora_alpha: 8, target_modules: ['q_proj', 'down_proj'], init_lora_weights: 'pissa' },
  { peft_type: 'IA3' },
];

describe('weights in 4 bits', () => {
  let gpu: Gpu;
  let golden: Awaited<ReturnType<typeof openGolden>>;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    golden = await openGolden('llama-untied-gqa');
  });
  afterAll(() => gpu.dispose());

  const upload = (storage: WeightStorage, source: TensorSource = golden.checkpoint.source) =>
    ModelWeights.upload(gpu, golden.config, source, { storage });

  const shapes = () =>
    new Map(parameterShapes(golden.config).map((each) => [each.name, each.shape]));

  /** What 4-bit weights stand for, uploaded as f32. */
  const expanded = (weights: ModelWeights) =>
    upload('f32', async (name) => {
      const { buffer } = await weights.readFloats(name);
      return { dtype: 'F32', shape: shapes().get(name)!, bytes: new Uint8Array(buffer) };
    });

  it("are bitsandbytes' codes, for every linear layer of the blocks and for nothing else", async () => {
    const weights = await upload('nf4');
    const quantised = readTensors(goldenPath('methods/qlora/quantised.safetensors'));
    const linear = linearSites(golden.config).map(({ path }) => `${path}.weight`);
    for (const name of linear) {
      const { packed } = weights.nf4(name)!;
      const bytes = new Uint8Array(await gpu.readBytes(packed));
      expect(bytes, name).toEqual(quantised.get(`${name}.packed`)!.bytes);
      expect(weights.get(name)).toBe(packed);
    }
    for (const name of shapes().keys()) {
      if (linear.includes(name)) continue;
      expect(weights.nf4(name)).toBeUndefined();
      const stored = (await golden.checkpoint.source(name))!;
      const expected = tensorToFloat32(stored.bytes, stored.dtype);
      expect(await weights.readFloats(name), name).toEqual(expected);
    }
    weights.dispose();
  });

  it('take 4.5 bits each', async () => {
    await gpu.idle();
    const baseline = gpu.liveBytes;
    const weights = await upload('nf4');
    const linear = new Set(linearSites(golden.config).map(({ path }) => `${path}.weight`));
    let expected = 0;
    for (const [name, shape] of shapes()) {
      const count = shape.reduce((product, size) => product * size, 1);
      expected += linear.has(name) ? 4 * (Math.ceil(count / 8) + Math.ceil(count / 64)) : 4 * count;
    }
    expect(weights.gpuBytes).toBe(expected);
    expect(gpu.liveBytes - baseline).toBe(expected);
    const floats = await upload('f32');
    expect(weights.gpuBytes).toBeLessThan(floats.gpuBytes / 2);
    floats.dispose();
    weights.dispose();
    expect(gpu.liveBytes).toBe(baseline);
  });

  const run = async (
    weights: ModelWeights,
    settings: Record<string, unknown>,
    values?: Float32Array,
  ) => {
    const trainer = await Trainer.create({
      gpu,
      config: golden.config,
      weights,
      peft: readPeftConfig(settings, 'test'),
      args: {
        ...DEFAULT_TRAINING_ARGUMENTS,
        learning_rate: 2e-3,
        per_device_train_batch_size: 2,
        max_steps: 4,
        save_strategy: 'no',
      },
      rows: ROWS,
      initialValues: values,
    });
    const start = (await trainer.checkpoint()).values;
    const log: number[] = [];
    await trainer.run({ onStep: ({ loss, grad_norm }) => log.push(loss, grad_norm) });
    const end = (await trainer.checkpoint()).values;
    trainer.dispose();
    return { start, log, end };
  };

  it.each(METHODS)('%j: the run over f32 of the same values, bit for bit', async (settings) => {
    const weights = await upload('nf4');
    const floats = await expanded(weights);
    const found = await run(weights, settings);
    expect(await run(floats, settings)).toEqual(found);
    expect(await run(weights, settings)).toEqual(found);
    // The file's own weights are another base.
    const original = await upload('f32');
    const other = await run(original, settings, found.start);
    expect(relativeL2(other.log, found.log)).toBeGreaterThan(1e-4);
    for (const each of [weights, floats, original]) each.dispose();
  });

  it('full fine-tuning starts from the values that they stand for', async () => {
    const weights = await upload('nf4');
    const floats = await expanded(weights);
    const found = await run(weights, { peft_type: 'FULL' });
    expect(await run(floats, { peft_type: 'FULL' })).toEqual(found);
    for (const each of [weights, floats]) each.dispose();
  });

  it('are refused as they lie where a matrix is asked for, and read by name where one is not there', async () => {
    const weights = await upload('nf4');
    const name = 'model.layers.0.self_attn.q_proj.weight';
    expect(() => weights.matrix('lm_head.weight')).not.toThrow();
    expect(() => weights.matrix(name)).toThrow(/q_proj.weight lies in 4 bits/);
    expect(() => weights.matrix(name)).toThrow(expect.objectContaining({ code: 'wrong-dtype' }));
    expect(() => weights.matrix('none')).toThrow(
      expect.objectContaining({ code: 'missing-tensor' }),
    );
    weights.dispose();
  });
});
