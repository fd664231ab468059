/**
 * DoRA under dropout through a whole model, against PEFT with the masks that the golden gives: the base's result
 * keeps its undropped input, the correction reads the dropped one, and a module's mask is one in all its uses.
 * Plan: loss, logits and gradients; the same bits with gradient checkpointing; other masks, and none, are another pass.
 *
 * Our own draws cannot be PEFT's, so that in this file the dropout multiplies by what is given for its place instead;
 * that the kernel multiplies by what it draws: kernels/dropout.test.ts and linear-layer.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { linearSites } from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import { reshaped, type Gpu, type Tensor } from '$lib/gpu';
import { columnScale } from '$lib/kernels/column-scale';
import type * as Dropout from '$lib/kernels/dropout';
import { AdapterState } from '$lib/peft';
import { paddedLength, type TokenRow } from '$lib/training/batches';
import { openAdapterFolder } from '../../src/cli/model-folder';
import { requestTestGpu } from '../dawn';
import { goldenPath, openGolden, readJson, readTensors, relativeL2 } from '../goldens';
import { onePass } from './one-pass';

/** By the number of the dropout's place. */
const given = vi.hoisted(() => ({ masks: new Map<number, Tensor>(), probabilities: new Set() }));

vi.mock('$lib/kernels/dropout', async (importActual) => ({
  ...(await importActual<typeof Dropout>()),
  dropout: ((plan, { label, x, site, probability, out, accumulate }) => {
    given.probabilities.add(probability);
    const asRow = (tensor: Tensor) => reshaped(tensor, [1, x.shape[0] * x.shape[1]]);
    const row = { x: asRow(x), factors: given.masks.get(site)!, out: out && asRow(out) };
    return reshaped(columnScale(plan, { label, ...row, accumulate }), x.shape);
  }) satisfies typeof Dropout.dropout,
}));

const FOLDER = 'arguments/dora-dropout';
/** As in goldens.test.ts. */
const LOGITS = 1e-5;
const LOSS = 1e-5;
const GRADIENTS = 1e-4;

describe('DoRA with dropout against PEFT', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const { model, lora_dropout } = readJson<{ model: string; lora_dropout: number }>(
    `${FOLDER}/case.json`,
  );
  const forward = readTensors(goldenPath(`${FOLDER}/forward.safetensors`));
  const [B, T] = forward.get('input_ids')!.shape;
  const rows: TokenRow[] = Array.from({ length: B }, (_, b) => {
    const row = (name: string) => forward.get(name)!.integers.slice(b * T, (b + 1) * T);
    const length = row('attention_mask').reduce((sum, value) => sum + value, 0);
    return {
      inputIds: row('input_ids').slice(0, length),
      labels: row('labels').slice(0, length),
    };
  });

  /** @param maskOf the path of the module whose mask is taken at a path */
  const pass = async ({
    dropout = lora_dropout,
    maskOf = (path: string) => path,
    gradientCheckpointing = false,
  } = {}) => {
    const { config, checkpoint } = await openGolden(model);
    const stored = await openAdapterFolder(goldenPath(`${FOLDER}/adapter`), config);
    if (stored.config.peft_type !== 'LORA') throw new Error('the golden is LoRA');
    expect(stored.config.use_dora).toBe(true);
    given.masks.clear();
    given.probabilities.clear();
    const width = paddedLength(rows);
    for (const [place, { path, inFeatures }] of linearSites(config).entries()) {
      const values = forward.get(`dropout.base_model.model.${maskOf(path)}`)?.floats;
      if (!values) continue;
      // Padded as our rows are; what stands at the padding is nobody's.
      const padded = new Float32Array(B * width * inFeatures).fill(9);
      for (let b = 0; b < B; b++)
        padded.set(
          values.subarray(b * T * inFeatures, (b + 1) * T * inFeatures),
          b * width * inFeatures,
        );
      given.masks.set(place, gpu.createTensor('mask', [padded.length], 'f32', padded));
    }
    const peft = { ...stored.config, lora_dropout: dropout };
    const adapter = new AdapterState(gpu, stored.layout, peft, stored.values, { trainable: true });
    const weights = await ModelWeights.upload(gpu, config, checkpoint.source);
    const how = { gradientCheckpointing, logitsInTraining: true };
    const found = await onePass(gpu, { config, weights, adapter }, rows, how);
    weights.dispose();
    return { ...found, parameters: stored.layout.parameters };
  };

  const expectPass = (found: Awaited<ReturnType<typeof pass>>) => {
    expect(Math.abs(found.loss - forward.get('loss')!.floats[0]), 'loss').toBeLessThan(LOSS);
    const { floats, shape } = forward.get('logits')!;
    const V = shape[2];
    const real = (values: Float32Array, length: number) =>
      rows.flatMap(({ inputIds }, b) =>
        Array.from(values.subarray(b * length * V, (b * length + inputIds.length) * V)),
      );
    expect(relativeL2(real(found.logits, found.T), real(floats, T)), 'logits').toBeLessThan(LOGITS);
    for (const { key, offset, count } of found.parameters) {
      const reference = forward.get(`grad.${key}`) ?? forward.get(`grad.${key}.weight`);
      const gradient = found.grads.subarray(offset, offset + count);
      expect(relativeL2(gradient, reference!.floats), key).toBeLessThan(GRADIENTS);
    }
  };

  it.each([false, true])(
    'gives the loss, logits and gradients (gradient checkpointing: %s)',
    async (gradientCheckpointing) => {
      const found = await pass({ gradientCheckpointing });
      expect([...given.probabilities]).toEqual([lora_dropout]);
      expect(given.masks.size).toBe(4);
      // A, B and a magnitude of each.
      expect(found.parameters).toHaveLength(12);
      expectPass(found);
    },
  );

  it('is another pass where modules have the masks of their neighbours, or none drops', async () => {
    const other = (path: string) =>
      path.replace(/layers\.\d/, (at) => `layers.${1 - Number(at.at(-1))}`);
    const mixed = await pass({ maskOf: other });
    expect(given.masks.size).toBe(4);
    expect(() => expectPass(mixed)).toThrow(/loss/);
    const whole = await pass({ dropout: 0 });
    expect(given.probabilities.size).toBe(0);
    expect(() => expectPass(whole)).toThrow(/loss/);
  });
});
