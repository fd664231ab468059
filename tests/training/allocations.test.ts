/**
 * Plan: a run over ragged rows, with a short last batch and evaluations, takes at its peak what was told before it, within
 * a tenth; a step makes nothing on the device but the plan of a shape of batch that has not come before.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseModelConfig, readPeftConfig, readTrainingArguments } from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { predictMemory, rowsShape, Trainer, type TokenRow } from '$lib/training';
import { requestTestGpu } from '../dawn';

const NANO = new URL('../../models/nano-lm/config.json', import.meta.url);

function rowsOf(count: number, vocabSize: number): TokenRow[] {
  return Array.from({ length: count }, (_, row) => {
    const length = 24 + ((row * 29) % 90);
    const inputIds = Int32Array.from({ length }, (_, t) => (t * 7 + row) % vocabSize);
    return { inputIds, labels: inputIds };
  });
}

describe('what a run allocates', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  it.each([
    [{ r: 8, target_modules: 'all-linear' }, { gradient_checkpointing: true }],
    [{ peft_type: 'FULL' }, { gradient_accumulation_steps: 2 }],
  ])('%j %j: what was told, once for each shape', async (peft, training) => {
    const config = parseModelConfig(readFileSync(NANO, 'utf8'));
    const weights = ModelWeights.outline(gpu, config, () => 'f32');
    const args = readTrainingArguments(
      { num_train_epochs: 2, per_device_train_batch_size: 4, eval_strategy: 'epoch', ...training },
      'test',
    );
    const rows = rowsOf(14, config.vocabSize);
    const evalRows = rowsOf(3, config.vocabSize);
    const shared = { gpu, config, peft: readPeftConfig(peft, 'test'), args };
    const told = await predictMemory({
      ...shared,
      trained: rowsShape(rows),
      evaluated: rowsShape(evalRows),
    });
    const trainer = await Trainer.create({ ...shared, weights, rows, evalRows });
    const make = vi.spyOn(gpu, 'createBuffer');
    const makeImage = vi.spyOn(gpu, 'createImage');
    let peak = gpu.liveBytes;
    const look = () => (peak = Math.max(peak, gpu.liveBytes));
    await trainer.run({ onStep: look, onEvaluate: look });
    expect(peak / told.total).toBeGreaterThanOrEqual(1);
    expect(peak / told.total).toBeLessThan(1.1);
    // Of each shape its inputs and the sizes that its kernels read, once.
    const made = make.mock.calls.map(([{ label }]) => label);
    const shapes = new Set(made.map((label) => /\d+x\d+/.exec(label)?.[0]));
    expect(shapes.size).toBeGreaterThan(1);
    expect(new Set(made).size, made.join()).toBe(made.length);
    expect(made.length).toBe(4 * shapes.size);
    expect(makeImage).not.toHaveBeenCalled();
    make.mockRestore();
    makeImage.mockRestore();
    trainer.dispose();
    weights.dispose();
  });

  it('is under 1.2 GB for four rows of 512 tokens on a model of the shape of SmolLM2-135M', async () => {
    const shape = new URL('../bench/shapes/smollm2-135m.json', import.meta.url);
    const { total } = await predictMemory({
      gpu,
      config: parseModelConfig(readFileSync(shape, 'utf8')),
      peft: readPeftConfig({ r: 16, target_modules: 'all-linear' }, 'test'),
      args: readTrainingArguments(
        { per_device_train_batch_size: 4, gradient_checkpointing: true },
        'test',
      ),
      trained: { count: 4, longest: 512 },
    });
    expect(total).toBeLessThan(1.2e9);
    expect(gpu.liveBytes).toBe(0);
  });

  it('a step has few dispatches: nano-lm, LoRA on q and v', async () => {
    const config = parseModelConfig(readFileSync(NANO, 'utf8'));
    const weights = ModelWeights.outline(gpu, config, () => 'f32');
    const trainer = await Trainer.create({
      ...{ gpu, config, weights, rows: rowsOf(4, config.vocabSize) },
      peft: readPeftConfig({ r: 8, target_modules: ['q_proj', 'v_proj'] }, 'test'),
      args: readTrainingArguments({ max_steps: 2, per_device_train_batch_size: 4 }, 'test'),
    });
    const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
    const counts: number[] = [];
    await trainer.run({ onStep: () => counts.push(dispatch.mock.calls.splice(0).length) });
    expect(counts[1]).toBeGreaterThan(0);
    expect(counts[1]).toBeLessThanOrEqual(230);
    dispatch.mockRestore();
    trainer.dispose();
    weights.dispose();
  });
});
