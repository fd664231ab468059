/**
 * fp16 of TrainingArguments: products with the model's weights in 16 bits. Plan: a run of the Trainer in f32 is followed
 * within what 16 bits cost, and is not the run in f32; what 16 bits cannot hold does not stop a step from learning;
 * refused where the device has no f16. (That a resumed run ends in the same bytes is in resume.test.ts.)
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPeftConfig, readTrainingArguments, type JsonObject } from '$lib/config';
import type { Gpu } from '$lib/gpu';
import { predictMemory, TrainingError } from '$lib/training';
import { requestTestGpu } from '../dawn';
import { openGolden, relativeL2 } from '../goldens';
import { goldenRun } from './golden-run';

/** An operand keeps 11 bits, an error of 2e-4 of it on average; a loss averages many products of many. */
const LOSS = 4e-4;
const GRAD_NORM = 4e-3;
/** Adam divides by the size of a gradient: where that is near nothing, its error is not. */
const FINAL = 6e-3;
/** What torch's order of sums costs in f32, goldens.test.ts: with 16 bits it is more. */
const FINAL_IN_F32 = 5e-5;

describe('fp16', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  it.for([
    'arguments/label-smoothing-accumulated',
    'methods/dora',
    'methods/loraplus',
    'methods/prefix-mistral-sliding',
  ])('follows the Trainer in f32: %s', async (folder, { skip }) => {
    if (!gpu.features.f16) return skip();
    const run = await goldenRun(gpu, folder, { fp16: true });
    expect(run.steps.length).toBe(run.expected.steps.length);
    run.expected.steps.forEach(({ step, loss, grad_norm }, index) => {
      const found = run.steps[index];
      expect(Math.abs(found.loss / loss - 1), `loss ${step}`).toBeLessThan(LOSS);
      expect(Math.abs(found.grad_norm / grad_norm - 1), `norm ${step}`).toBeLessThan(GRAD_NORM);
    });
    const distance = relativeL2(run.final, run.expectedFinal);
    expect(distance).toBeLessThan(FINAL);
    expect(distance).toBeGreaterThan(FINAL_IN_F32);
  });

  it('says why not where the device has no f16, before anything is allocated', async () => {
    const { config } = await openGolden('llama-tied');
    const settings: JsonObject = { r: 4, target_modules: ['q_proj'] };
    const { limits } = gpu.device;
    const adapterInfo = { subgroupMinSize: 0, subgroupMaxSize: 0 };
    const predict = (features: string[], fp16: boolean) =>
      predictMemory({
        config,
        peft: readPeftConfig(settings, 'config.json'),
        args: readTrainingArguments({ ...settings, fp16 }, 'config.json'),
        trained: { count: 4, longest: 16 },
        gpu: {
          device: { limits, adapterInfo },
          granted: new Set(features),
          adapterName: 'an old card',
          features: { images: false },
        } as unknown as Gpu,
      });
    expect((await predict(['shader-f16'], true)).total).toBeGreaterThan(0);
    expect((await predict([], false)).total).toBeGreaterThan(0);
    const refused = predict([], true);
    await expect(refused).rejects.toThrow(TrainingError);
    await expect(refused).rejects.toMatchObject({
      code: 'no-f16',
      message: expect.stringMatching(
        /^fp16 needs .*shader-f16.* an old card does not. Turn fp16 off.$/,
      ),
    });
  });
});
