/**
 * Plan: work is counted from sign to sign; a pause is not; a stretch far longer than the steps is a sleeping machine
 * and counts as one step; a slow machine's long steps are work. A run in which the machine sleeps in mid-step ends in
 * the bytes of one that did not, its record counts no sleep, and neither does the time left.
 */
import type { Server } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createEngine } from '$lib/engine';
import { WorkClock } from '$lib/engine/work-clock';
import type { TrainEvent } from '$lib/rpc/engine-api';
import { MemoryFiles, MemoryTables } from '$lib/storage';
import { testEntry } from '../dawn';
import { alpaca, baseUrlOf, requestOf, serveBundled, silent } from './harness';

const HOUR = 3_600_000;

describe('the clock of a run', () => {
  let now = 0;
  const clockAt = (beforeMs = 0) => {
    now = 1000;
    return new WorkClock(beforeMs, () => now);
  };
  const stepOf = (clock: WorkClock, ms: number) => {
    now += ms;
    clock.step(ms);
  };

  it('counts on from what was worked before', () => {
    const clock = clockAt(500);
    for (const ms of [900, 100, 120, 110]) stepOf(clock, ms);
    expect(clock.elapsedMs).toBe(500 + 900 + 100 + 120 + 110);
    // The first compiles.
    expect(clock.stepMs).toBe(110);
  });

  it('does not count a pause', async () => {
    const clock = clockAt();
    stepOf(clock, 100);
    const pause = clock.stoppedDuring(Promise.resolve('resume'));
    now += 9 * HOUR;
    expect(await pause).toBe('resume');
    stepOf(clock, 100);
    expect(clock.elapsedMs).toBe(200);
  });

  it('counts a step in which the machine slept as one step; a slow machine’s steps in full', () => {
    const clock = clockAt();
    for (let i = 0; i < 5; i++) stepOf(clock, 100);
    stepOf(clock, 8 * HOUR);
    expect(clock.elapsedMs).toBe(600);
    expect(clock.stepMs).toBe(100);
    const slow = clockAt();
    for (let i = 0; i < 5; i++) stepOf(slow, HOUR / 4);
    // Of the first nobody knows yet that it was none.
    expect(slow.elapsedMs).toBeGreaterThan(HOUR * 0.99);
  });
});

describe('a machine that sleeps in the middle of a run', () => {
  const gpu = testEntry();
  let server: Server;
  beforeAll(async () => {
    server = await serveBundled();
  });
  afterAll(() => void server.close());
  afterEach(() => vi.restoreAllMocks());

  async function runWith(onStep: (step: number) => void) {
    const files = new MemoryFiles();
    const baseUrl = baseUrlOf(server);
    const engine = createEngine({ files, tables: new MemoryTables(), gpu, baseUrl });
    const rows = Array.from({ length: 8 }, (_, i) => ({
      instruction: `问题${i}`,
      input: '',
      output: `答案${i}`,
    }));
    const { dataset } = await engine.importDataset({ file: alpaca(rows) }, silent());
    const request = requestOf(dataset!.id);
    const events: Extract<TrainEvent, { kind: 'step' }>[] = [];
    const run = await engine.train(
      { ...request, training: { ...request.training, max_steps: 6 } },
      {
        ...silent(),
        progress: (event) => {
          if (event.kind !== 'step') return;
          events.push(event);
          onStep(event.step);
        },
      },
    );
    const [{ path }] = (await files.list('runs')).filter(({ path }) =>
      path.endsWith('adapter_model.safetensors'),
    );
    return {
      run,
      events,
      adapter: new Uint8Array(await (await files.readFile(path)).arrayBuffer()),
    };
  }

  it('ends as one that was awake, and counts no sleep', async () => {
    const awake = await runWith(() => {});
    const real = performance.now.bind(performance);
    let asleepMs = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => real() + asleepMs);
    const asleep = await runWith((step) => {
      if (step === 3) asleepMs = 8 * HOUR;
    });
    expect(asleep.run.status).toBe('finished');
    expect(Buffer.from(asleep.adapter).equals(Buffer.from(awake.adapter))).toBe(true);
    expect(asleep.run.elapsedMs).toBeLessThan(HOUR / 4);
    expect(asleep.run.elapsedMs).toBeGreaterThan(0);
    expect(Math.max(...asleep.events.map(({ secondsLeft }) => secondsLeft))).toBeLessThan(600);
  });
});
