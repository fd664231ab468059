/** Twelve optimiser steps of transformers' Trainer with PEFT: each loss, norm and rate, and the final adapter. */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPeftConfig, readTrainingArguments, type JsonObject } from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { Trainer, type StepReport } from '$lib/training';
import { openAdapterFolder } from '../../src/cli/model-folder';
import { requestTestGpu } from '../dawn';
import { goldenPath, openGolden, readJson, relativeL2 } from '../goldens';
import { readRows } from './rows';

interface ExpectedStep {
  step: number;
  loss: number;
  grad_norm: number;
  learning_rate: number;
  num_target_tokens: number;
}

const CASES = readdirSync(goldenPath('training')).sort();

/** Adam turns the noise of tiny gradients into steps of full size; biases over all layers feel it most. */
const FINAL = { default: 3e-4, 'llama-bias-all': 1e-3 } as Record<string, number>;

describe('training against the Trainer', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  it.each(CASES)('%s', async (name) => {
    const folder = goldenPath(`training/${name}`);
    const golden = await openGolden(
      readJson<{ model: string }>(`training/${name}/case.json`).model,
    );
    const settings = readJson<JsonObject>(`training/${name}/config.json`);
    const { config } = golden;
    const initial = await openAdapterFolder(`${folder}/init-adapter`, config);
    const expected = readJson<{ steps: ExpectedStep[] }>(`training/${name}/expected.json`).steps;
    const baseline = gpu.liveCount;
    const weights = await ModelWeights.upload(gpu, config, golden.checkpoint.source);
    const trainer = await Trainer.create({
      gpu,
      config,
      weights,
      peft: readPeftConfig(settings, 'config.json'),
      args: readTrainingArguments(settings, 'config.json'),
      rows: readRows(`${folder}/dataset.jsonl`),
      initialValues: initial.values,
    });
    const reports: StepReport[] = [];
    await trainer.run({ onStep: (report) => reports.push(report) });
    expect(reports).toHaveLength(expected.length);
    reports.forEach((report, index) => {
      const reference = expected[index];
      const where = `step ${reference.step}`;
      expect(report.targetCount, where).toBe(reference.num_target_tokens);
      expect(Math.abs(report.loss / reference.loss - 1), where).toBeLessThan(2e-4);
      expect(Math.abs(report.grad_norm / reference.grad_norm - 1), where).toBeLessThan(2e-4);
      expect(report.learning_rate, where).toBeCloseTo(reference.learning_rate, 12);
    });
    const logged = readJson<{ log_history: StepReport[] }>(`training/${name}/trainer_state.json`);
    expect(trainer.trainerState.log_history.map(({ epoch }) => epoch)).toEqual(
      logged.log_history.map(({ epoch }) => expect.closeTo(epoch, 10)),
    );
    const final = await openAdapterFolder(`${folder}/final-adapter`, config);
    const values = await trainer.adapter.readParameters();
    for (const { key, offset, count } of trainer.layout.parameters) {
      const slice = (array: Float32Array) => array.subarray(offset, offset + count);
      expect(relativeL2(slice(values), slice(final.values)), key).toBeLessThan(
        FINAL[name] ?? FINAL.default,
      );
    }
    trainer.dispose();
    weights.dispose();
    await gpu.idle();
    expect(gpu.liveCount).toBe(baseline);
  });
});
