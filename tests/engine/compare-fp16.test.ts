/**
 * Plan: on a card a run's step is measured with fp16 the other way, by the same step, once, and remembered for runs of
 * other lengths; nothing is measured where the run itself was not, on the processor, or without f16, each beside a card
 * as its control; what the processor was asked for both ways is told; an abort, and a stop, end it and leave nothing
 * behind; what does not fit is not told. Then over a device: what is told with fp16 off is what the run then has with it
 * on, nothing stays on the device, and a run that starts ends it.
 */
import type { Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMON_RECIPE } from '$lib/config';
import { createEngine } from '$lib/engine';
import { compareFp16 } from '$lib/engine/compare-fp16';
import { TimeMeter } from '$lib/engine/time-meter';
import { GpuError, type Gpu } from '$lib/gpu';
import type { EngineApi, Fp16Comparison, TrainRequest } from '$lib/rpc/engine-api';
import { MemoryFiles, MemoryTables } from '$lib/storage';
import type { MeasuredStep, MeasureOptions, RunLoad } from '$lib/training';
import { FailingGpu } from './failing-gpu';
import { alpaca, baseUrlOf, requestOf, ROWS, serveBundled, silent } from './harness';

const LOAD: RunLoad = {
  ...{ B: 1, T: 16, tokensPerStep: 100, targetShare: 1, totalSteps: 10 },
  ...{ evaluations: 0, evaluatedTokens: 0 },
};

const device = (what: { isSoftware?: boolean; f16?: boolean } = {}): Gpu =>
  ({ isSoftware: what.isSoftware ?? false, features: { f16: what.f16 ?? true } }) as Gpu;

const optionsOf = (
  gpu: Gpu,
  fp16: boolean,
  more: Partial<MeasureOptions> = {},
): MeasureOptions => ({
  ...({ config: {}, weights: {} } as Pick<MeasureOptions, 'config' | 'weights'>),
  ...{ gpu, peft: COMMON_RECIPE.lora, load: LOAD },
  args: { ...COMMON_RECIPE.training, fp16 },
  ...more,
});

const stepOf = (accumulation: number): MeasuredStep => ({ B: 1, T: 16, accumulation });

/** Measures seconds a token as told, and keeps what it was asked. */
function meterOf(withFp16: number, without: number) {
  const asked: { fp16: boolean; batch: MeasuredStep | undefined }[] = [];
  const meter = new TimeMeter(async ({ args: { fp16 }, batch }) => {
    asked.push({ fp16, batch });
    return { trained: fp16 ? withFp16 : without, evaluated: 0, batch: batch ?? stepOf(3) };
  });
  return { meter, asked };
}

describe('products in 16 bits compared', () => {
  it.each([
    ['faster', 0.01, 0.016],
    ['slower', 0.04, 0.01],
  ])('on a card, once, by the same step: %s', async (_, withFp16, without) => {
    const { meter, asked } = meterOf(withFp16, without);
    const off = optionsOf(device(), false);
    await meter.rates('m', off);
    const told = (await compareFp16(meter, 'm', off))!;
    expect(told.withSeconds).toBeCloseTo(1000 * withFp16, 9);
    expect(told.withoutSeconds).toBeCloseTo(1000 * without, 9);
    expect(asked).toEqual([
      { fp16: false, batch: undefined },
      { fp16: true, batch: stepOf(3) },
    ]);
    expect(await compareFp16(meter, 'm', off)).toEqual(told);
    const longer = { ...off, load: { ...LOAD, totalSteps: 20 } };
    expect((await compareFp16(meter, 'm', longer))!.withSeconds).toBeCloseTo(2000 * withFp16, 9);
    // Turned on, it is the same the other way round.
    const on = optionsOf(off.gpu, true);
    await meter.rates('m', on);
    expect(await compareFp16(meter, 'm', on)).toEqual(told);
    expect(asked.length).toBe(2);
  });

  it('a run that has it on is compared with one that has not', async () => {
    const { meter, asked } = meterOf(0.04, 0.01);
    const on = optionsOf(device(), true);
    await meter.rates('m', on);
    expect(await compareFp16(meter, 'm', on)).toMatchObject({ withSeconds: 40 });
    expect(asked.map(({ fp16 }) => fp16)).toEqual([true, false]);
  });

  it('not by another step, where each was measured for itself', async () => {
    const asked: unknown[] = [];
    const meter = new TimeMeter(async ({ args: { fp16 }, batch }) => {
      asked.push(batch);
      return { trained: 0.01, evaluated: 0, batch: batch ?? stepOf(fp16 ? 5 : 2) };
    });
    const gpu = device();
    await meter.rates('m', optionsOf(gpu, true));
    await meter.rates('m', optionsOf(gpu, false));
    await compareFp16(meter, 'm', optionsOf(gpu, false));
    expect(asked).toEqual([undefined, undefined, stepOf(2)]);
  });

  it('by the step that told the time, though the form has other batches a step by now', async () => {
    const { meter, asked } = meterOf(0.01, 0.016);
    const off = optionsOf(device(), false);
    await meter.rates('m', off);
    const more = { ...off, args: { ...off.args, gradient_accumulation_steps: 8 } };
    expect(await compareFp16(meter, 'm', more)).toBeDefined();
    expect(asked.map(({ batch }) => batch)).toEqual([undefined, stepOf(3)]);
  });

  it.each([
    ['the run itself was not measured', device(), false, 0],
    ['the processor computes', device({ isSoftware: true }), true, 1],
    ['the card has no f16', device({ f16: false }), true, 1],
    ['control: a card that has', device(), true, 2],
  ])('%s', async (_, gpu, isMeasured, times) => {
    const { meter, asked } = meterOf(0.01, 0.02);
    const off = optionsOf(gpu, false);
    if (isMeasured) await meter.rates('m', off);
    expect((await compareFp16(meter, 'm', off)) !== undefined).toBe(times === 2);
    expect(asked.length).toBe(times);
  });

  it('of the processor too, where both were asked for', async () => {
    const { meter, asked } = meterOf(0.04, 0.01);
    const gpu = device({ isSoftware: true });
    for (const fp16 of [false, true]) await meter.rates('m', optionsOf(gpu, fp16));
    const told = await compareFp16(meter, 'm', optionsOf(gpu, true));
    expect(told).toEqual({ withSeconds: 40, withoutSeconds: 10 });
    expect(asked.length).toBe(2);
  });

  it.each(['its caller', 'whoever is about to train'])('%s ends it', async (who) => {
    const begun: AbortSignal[] = [];
    let waits = true;
    const meter = new TimeMeter(async ({ args: { fp16 }, signal }) => {
      if (fp16 && waits) {
        begun.push(signal!);
        await new Promise((_, reject) =>
          signal!.addEventListener('abort', () => reject(signal!.reason as Error)),
        );
      }
      return { trained: 0.01, evaluated: 0, batch: stepOf(1) };
    });
    const caller = new AbortController();
    const off = optionsOf(device(), false, { signal: caller.signal });
    await meter.rates('m', off);
    const comparing = compareFp16(meter, 'm', off).catch((error: Error) => error.name);
    await expect.poll(() => begun.length).toBe(1);
    if (who === 'its caller') caller.abort();
    else await meter.stop();
    expect(await comparing).toBe('AbortError');
    expect(begun[0].aborted).toBe(true);
    expect(meter.known('m', optionsOf(off.gpu, true))).toBeUndefined();
    // Asked again, it is measured after all.
    waits = false;
    expect(await compareFp16(meter, 'm', optionsOf(off.gpu, false))).toBeDefined();
  });

  it('nothing is told of what finds no memory', async () => {
    const meter = new TimeMeter(async ({ args: { fp16 } }) => {
      if (fp16) throw new GpuError('out-of-memory', 'none is left');
      return { trained: 0.01, evaluated: 0, batch: stepOf(1) };
    });
    const off = optionsOf(device(), false);
    expect(await meter.rates('m', off)).toBeDefined();
    expect(await compareFp16(meter, 'm', off)).toBeUndefined();
  });
});

describe('on a device', () => {
  let server: Server;
  beforeAll(async () => {
    server = await serveBundled();
  });
  afterAll(() => void server.close());

  /** @param description of the adapter; lavapipe's own where it is left out */
  async function start(description?: string) {
    const gpu = new FailingGpu();
    gpu.description = description;
    const engine = createEngine({
      ...{ files: new MemoryFiles(), tables: new MemoryTables() },
      ...{ gpu: gpu.entry, baseUrl: baseUrlOf(server) },
    });
    const { dataset } = await engine.importDataset({ file: alpaca(ROWS) }, silent());
    const request = requestOf(dataset!.id);
    const training = { ...request.training, save_strategy: 'no', max_steps: 2 } as const;
    const settingsOf = (fp16: boolean): TrainRequest => ({
      ...request,
      training: { ...training, fp16 },
    });
    return { engine, gpu, settingsOf };
  }

  const isHalfKnown = async (engine: EngineApi) =>
    (await engine.describeDevice(undefined, silent())).f16;

  it('a card: what is told is what the run then has, and nothing stays', async ({ skip }) => {
    const { engine, gpu, settingsOf } = await start('a card for tests');
    if (!(await isHalfKnown(engine))) return skip();
    const off = settingsOf(false);
    expect(await engine.compareFp16(off, silent())).toBeUndefined();
    const time = (await engine.predictTime(off, silent()))!;
    const before = gpu.takenBytes;
    const told = (await engine.compareFp16(off, silent())) as Fp16Comparison;
    expect(gpu.takenBytes).toBe(before);
    expect(told.withoutSeconds).toBe(time.totalSeconds);
    const compiled = gpu.compiled.length;
    expect((await engine.predictTime(settingsOf(true), silent()))!.totalSeconds).toBe(
      told.withSeconds,
    );
    expect(await engine.compareFp16(settingsOf(true), silent())).toEqual(told);
    expect(gpu.compiled.length).toBe(compiled);
  });

  it('a card: a run that starts ends it, and during a run nothing is compared', async ({
    skip,
  }) => {
    const { engine, settingsOf } = await start('a card for tests');
    if (!(await isHalfKnown(engine))) return skip();
    const off = settingsOf(false);
    await engine.predictTime(off, silent());
    const comparing = engine.compareFp16(off, silent()).catch((error: Error) => error.name);
    let during: unknown = 'not asked';
    const run = await engine.train(off, {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'step') during = engine.compareFp16(off, silent());
      },
    });
    expect(run.status).toBe('finished');
    expect(['AbortError', undefined]).toContain(await comparing);
    expect(await during).toBeUndefined();
  });

  it('the processor: nothing is measured, and what was asked for is told, slower', async ({
    skip,
  }) => {
    const { engine, gpu, settingsOf } = await start();
    if (!(await isHalfKnown(engine))) return skip();
    await engine.predictTime(settingsOf(false), silent());
    const compiled = gpu.compiled.length;
    expect(await engine.compareFp16(settingsOf(false), silent())).toBeUndefined();
    expect(gpu.compiled.length).toBe(compiled);
    await engine.predictTime(settingsOf(true), silent());
    const told = (await engine.compareFp16(settingsOf(true), silent()))!;
    expect(told.withSeconds).toBeGreaterThan(1.15 * told.withoutSeconds);
  });
});
