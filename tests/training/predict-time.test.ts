/**
 * Plan: what a run's rows ask for is counted as its batches have it, padding, packing, accumulation and
 * evaluations included; the time of a layer is extended to all of them; what is measured on this device is what
 * a run then takes, within what a shared machine allows, for several methods; nothing is left on the device, nor
 * in the weights, and an abort ends it.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readPeftConfig, readTrainingArguments } from '$lib/config';
import { adaptedModel, ModelWeights } from '$lib/decoder';
import { NO_LIMITS, type Gpu } from '$lib/gpu';
import { layoutAdapter } from '$lib/peft';
import {
  measureRates,
  predictMemory,
  runLoad,
  runTime,
  Trainer,
  type TokenRow,
} from '$lib/training';
import { requestTestGpu } from '../dawn';
import { limitMemory } from '../gpu/scarce-memory';
import { openGolden } from '../goldens';

/** Told by taken: 0.8 to 1.4 by method on lavapipe with 2 cores, idle and with four other programs at work. */
const LEAST = 0.6;
const MOST = 1.8;
const MOST_ROUNDS = 8;

const rowsOf = (lengths: readonly number[]): TokenRow[] =>
  lengths.map((length) => {
    const inputIds = Int32Array.from({ length }, (_, t) => (t * 3) % 90);
    const labels = inputIds.slice();
    labels.fill(-100, 0, length >> 1);
    return { inputIds, labels };
  });

describe('the load of a run', () => {
  const args = (options: object) => readTrainingArguments({ shuffle: false, ...options }, 'test');

  it('is counted with the padding of each batch', () => {
    const rows = rowsOf([10, 20, 40, 17, 5]);
    const load = runLoad(
      rows,
      [],
      args({ per_device_train_batch_size: 2, gradient_accumulation_steps: 2 }),
      512,
    );
    // Batches of 32 + 32, 48 + 48, then 16 alone; two of them a step.
    expect(load).toMatchObject({ B: 2, T: 48, tokensPerStep: (64 + 96 + 16) / 2 });
    expect(load.targetShare).toBeCloseTo((5 + 10 + 20 + 9 + 3) / 176, 12);
    expect(load).toMatchObject({ totalSteps: 6, evaluations: 0 });
  });

  it('counts packed rows once they are put together', () => {
    const packed = runLoad(
      rowsOf([10, 20, 40, 17, 5]),
      [],
      args({ per_device_train_batch_size: 1, packing: true }),
      64,
    );
    expect(packed.tokensPerStep).toBeLessThanOrEqual(64);
    expect(packed.totalSteps).toBe(3 * Math.ceil(92 / 64));
  });

  it.each([
    [{ eval_strategy: 'epoch' }, 3],
    [{ eval_strategy: 'steps', eval_steps: 2 }, 5],
    [{ eval_strategy: 'epoch', eval_on_start: true }, 4],
    [{ eval_strategy: 'no' }, 0],
  ])('counts evaluations: %j', (options, evaluations) => {
    const rows = rowsOf([10, 10, 10]);
    const load = runLoad(rows, rows, args({ per_device_train_batch_size: 1, ...options }), 512);
    expect(load.totalSteps).toBe(9);
    expect(load).toMatchObject({ evaluations, evaluatedTokens: 48 });
  });

  it('becomes seconds', () => {
    const load = {
      ...{ B: 1, T: 16, tokensPerStep: 100, targetShare: 1, totalSteps: 10 },
      ...{ evaluations: 2, evaluatedTokens: 50 },
    };
    const time = runTime(load, { trained: 0.01, evaluated: 0.004 });
    expect(time.secondsPerStep).toBeCloseTo(1, 12);
    expect(time.secondsPerEvaluation).toBeCloseTo(0.2, 12);
    expect(time.totalSeconds).toBeCloseTo(10.4, 12);
  });
});

describe('the rates of a device', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  it.each([
    [{ r: 4 }, {}],
    [{ layers_to_transform: [1], rank_pattern: { q_proj: 2 } }, {}],
    [{ peft_type: 'FULL' }, { gradient_accumulation_steps: 2 }],
    [{ peft_type: 'IA3' }, { eval_strategy: 'epoch' }],
    [{ peft_type: 'PREFIX_TUNING', num_virtual_tokens: 4 }, { gradient_checkpointing: true }],
  ])('%j %j: about what a run takes, and nothing is left of it', async (peft, training) => {
    const { config, checkpoint } = await openGolden('llama-tied');
    const weights = await ModelWeights.upload(gpu, config, checkpoint.source);
    const name = 'model.layers.0.self_attn.q_proj.weight';
    const before = { bytes: gpu.liveBytes, weight: await weights.readFloats(name) };
    const settings = {
      ...{ gpu, config, weights },
      peft: readPeftConfig(peft, 'test'),
      args: readTrainingArguments({ max_steps: 12, ...training }, 'test'),
    };
    const rows = rowsOf(Array.from({ length: 24 }, (_, i) => 40 + (i % 9)));
    const load = runLoad(rows, rows, settings.args, 512);
    const rates = (await measureRates({ ...settings, load }))!;
    await gpu.idle();
    expect(gpu.liveBytes).toBe(before.bytes);
    expect(await weights.readFloats(name)).toEqual(before.weight);
    expect(rates.evaluated > 0).toBe(load.evaluations > 0);

    // Others on the machine only ever make a time longer: of both the shortest of several in turn is held against the other.
    const told: number[] = [];
    const taken: number[] = [];
    const ratio = () => Math.min(...told) / Math.min(...taken);
    const isClose = () => ratio() > LEAST && ratio() < MOST;
    for (let round = 0; round < 3 || (round < MOST_ROUNDS && !isClose()); round++) {
      told.push(runTime(load, (await measureRates({ ...settings, load }))!).secondsPerStep);
      const trainer = await Trainer.create({ ...settings, rows, evalRows: rows });
      const steps: number[] = [];
      await trainer.run({ onStep: ({ elapsedMs }) => steps.push(elapsedMs) });
      trainer.dispose();
      taken.push(steps.sort((a, b) => a - b)[steps.length >> 1] / 1000);
    }
    expect(ratio()).toBeGreaterThan(LEAST);
    expect(ratio()).toBeLessThan(MOST);
    weights.dispose();
  });

  it('is not taken where it would need much memory: all parameters of a large vocabulary', async () => {
    const { config, checkpoint } = await openGolden('llama-tied');
    const weights = await ModelWeights.upload(gpu, config, checkpoint.source);
    const args = readTrainingArguments({}, 'test');
    const load = runLoad(rowsOf([30, 30]), [], args, 512);
    const large = { ...config, vocabSize: 2 ** 22 };
    const before = gpu.liveBytes;
    for (const [peft, told] of [
      [{ peft_type: 'FULL' }, false],
      [{ r: 4 }, true],
    ] as const) {
      const settings = { gpu, config: told ? config : large, weights, args, load };
      const rates = await measureRates({ ...settings, peft: readPeftConfig(peft, 'test') });
      expect(rates !== undefined).toBe(told);
    }
    await gpu.idle();
    expect(gpu.liveBytes).toBe(before);
    weights.dispose();
  });

  it('where a larger step, measured after a quick one, finds no memory, the quick one counts', async () => {
    const scarce = await requestTestGpu();
    const allow = limitMemory(scarce.device, Infinity);
    const { config, checkpoint } = await openGolden('llama-tied');
    const weights = await ModelWeights.upload(scarce, config, checkpoint.source);
    const args = readTrainingArguments({ per_device_train_batch_size: 4000 }, 'test');
    const settings = { gpu: scarce, config, weights, args, peft: readPeftConfig({ r: 4 }, 'test') };
    const loadOf = (count: number) => runLoad(rowsOf(Array<number>(count).fill(48)), [], args, 512);
    // The first step takes some 110 of the rows, the larger one several times as many.
    const trained = { count: 110, longest: 48 };
    const { total } = await predictMemory({ ...settings, gpu: scarce, limits: NO_LIMITS, trained });
    allow(2 * total);
    // However busy the machine is, the step is quick.
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() / 50);
    const found = await measureRates({ ...settings, load: loadOf(4000) });
    clock.mockRestore();
    expect(found?.batch.B).toBeLessThan(2 * trained.count);
    weights.dispose();
    scarce.dispose();
  });

  it('by the step of another measurement, it is taken at once', async () => {
    const { config, checkpoint } = await openGolden('llama-tied');
    const weights = await ModelWeights.upload(gpu, config, checkpoint.source);
    const args = readTrainingArguments({ per_device_train_batch_size: 160 }, 'test');
    const load = runLoad(rowsOf(Array<number>(160).fill(48)), [], args, 512);
    const settings = { gpu, config, weights, args, load, peft: readPeftConfig({ r: 4 }, 'test') };
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() / 50);
    const create = vi.spyOn(Trainer, 'create');
    // Others are made on a device that only counts.
    const batches = () => {
      const made = create.mock.calls.splice(0).filter(([{ gpu: by }]) => by.device === gpu.device);
      return made.map(([{ args }]) => args.per_device_train_batch_size);
    };
    const found = (await measureRates(settings))!;
    const [one, few, ...larger] = batches();
    expect(one).toBe(few);
    expect(larger[0]).toBeGreaterThan(one);
    expect(found.batch.B).toBe(larger[0]);
    const again = await measureRates({ ...settings, batch: found.batch });
    expect(again?.batch).toEqual(found.batch);
    expect(batches()).toEqual(larger);
    create.mockRestore();
    clock.mockRestore();
    weights.dispose();
  });

  it('an abort ends it and gives everything back', async () => {
    const { config, checkpoint } = await openGolden('llama-tied');
    const weights = await ModelWeights.upload(gpu, config, checkpoint.source);
    const before = gpu.liveBytes;
    const args = readTrainingArguments({}, 'test');
    const peft = readPeftConfig({}, 'test');
    expect(layoutAdapter(adaptedModel(config), peft).flatCount).toBeGreaterThan(0);
    const load = runLoad(rowsOf([30, 30]), [], args, 512);
    const stop = new AbortController();
    const measuring = measureRates({ gpu, config, weights, peft, args, load, signal: stop.signal });
    stop.abort();
    await expect(measuring).rejects.toMatchObject({ name: 'AbortError' });
    await gpu.idle();
    expect(gpu.liveBytes).toBe(before);
    weights.dispose();
  });
});
