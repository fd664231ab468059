/**
 * One forward and backward pass of transformers and PEFT under conditions that a plain batch does not have:
 * sequences packed into one row, and noise on the embeddings.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { AdapterState } from '$lib/peft';
import { collate, paddedLength, type TokenRow } from '$lib/training/batches';
import { requestTestGpu } from '../dawn';
import { goldenPath, openGolden, readJson, readTensors, relativeL2 } from '../goldens';
import { onePass } from './one-pass';

/** As in goldens.test.ts. */
const LOGITS = 1e-5;
const LOSS = 1e-5;
const GRADIENTS = 1e-4;

type Forward = ReturnType<typeof readTensors>;

describe('one pass against transformers and PEFT', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const open = async (name: string) => {
    const { model } = readJson<{ model: string }>(`arguments/${name}/case.json`);
    const golden = await openGolden(model);
    const forward = readTensors(goldenPath(`arguments/${name}/forward.safetensors`));
    return { golden, forward };
  };

  async function pass(
    { golden, forward }: Awaited<ReturnType<typeof open>>,
    rows: readonly TokenRow[],
    { noise, gradientCheckpointing }: { noise?: boolean; gradientCheckpointing?: boolean } = {},
  ) {
    const { config, adapter: stored } = golden;
    const adapter = new AdapterState(gpu, stored.layout, stored.config, stored.values, {
      trainable: true,
    });
    const weights = await ModelWeights.upload(gpu, config, golden.checkpoint.source);
    const model = { config, weights, adapter };
    const embeddingNoise = noise ? paddedNoise(forward, rows, config.hiddenSize) : undefined;
    const found = await onePass(gpu, model, rows, { embeddingNoise, gradientCheckpointing });
    return { ...found, parameters: stored.layout.parameters };
  }

  /** Noise of (B, T, C) as the reference pads, padded further as we do. */
  function paddedNoise(forward: Forward, rows: readonly TokenRow[], C: number) {
    const { floats, shape } = forward.get('noise')!;
    const T = paddedLength(rows);
    const values = new Float32Array(rows.length * T * C).fill(9);
    for (let b = 0; b < rows.length; b++)
      values.set(floats.subarray(b * shape[1] * C, (b + 1) * shape[1] * C), b * T * C);
    return values;
  }

  const expectPass = (
    found: Awaited<ReturnType<typeof pass>>,
    forward: Forward,
    rows: readonly TokenRow[],
  ) => {
    expect(Math.abs(found.loss - forward.get('loss')!.floats[0])).toBeLessThan(LOSS);
    const { floats, shape } = forward.get('logits')!;
    const [, T, V] = shape;
    const real = (values: Float32Array, length: number) =>
      rows.flatMap(({ inputIds }, b) =>
        Array.from(values.subarray(b * length * V, (b * length + inputIds.length) * V)),
      );
    expect(relativeL2(real(found.logits, found.T), real(floats, T))).toBeLessThan(LOGITS);
    for (const { key, offset, count } of found.parameters) {
      const reference = forward.get(`grad.${key}`)!.floats;
      const gradient = found.grads.subarray(offset, offset + count);
      expect(relativeL2(gradient, reference), key).toBeLessThan(GRADIENTS);
    }
  };

  it.each(['segments-llama-untied-gqa', 'segments-mistral-sliding'])('%s', async (name) => {
    const opened = await open(name);
    const { forward } = opened;
    const inputIds = forward.get('input_ids')!.integers;
    const labels = forward.get('labels')!.integers;
    const positions = Array.from(forward.get('position_ids')!.integers);
    const starts = positions.flatMap((position, t) => (position === 0 ? [t] : []));
    expect(starts).toHaveLength(3);
    const rows = [{ inputIds, labels, starts }];
    expect(Array.from(collate(rows).segments!.positions.subarray(0, inputIds.length))).toEqual(
      positions,
    );
    const found = await pass(opened, rows);
    expectPass(found, forward, rows);
    expect(await pass(opened, rows, { gradientCheckpointing: true })).toEqual(found);
    // Control: as one sequence it is another text.
    const mixed = await pass(opened, [{ inputIds, labels }]);
    expect(Math.abs(mixed.loss - found.loss)).toBeGreaterThan(1e-3);
  });

  it('neftune, with noise that is given', async () => {
    const opened = await open('neftune');
    const { forward } = opened;
    const ids = forward.get('input_ids')!;
    const [B, T] = ids.shape;
    const mask = forward.get('attention_mask')!.integers;
    const rows = Array.from({ length: B }, (_, b) => {
      const length = mask.subarray(b * T, (b + 1) * T).reduce((sum, value) => sum + value, 0);
      const slice = (values: Int32Array) => values.slice(b * T, b * T + length);
      return {
        inputIds: slice(ids.integers),
        labels: slice(forward.get('labels')!.integers),
      };
    });
    const found = await pass(opened, rows, { noise: true });
    expectPass(found, forward, rows);
    expect(Math.abs((await pass(opened, rows)).loss - found.loss)).toBeGreaterThan(1e-3);
  });
});
