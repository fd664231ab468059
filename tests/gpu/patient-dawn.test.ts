/**
 * Plan: while the GPU works, Dawn asks for its end about once a millisecond (scripts/patient-dawn.mjs), with Node's own
 * `setImmediate` as the control; a short wait still ends at once; callbacks that are not Dawn's are not put off.
 */
import { setImmediate as nodesOwn } from 'node:timers';
import { afterEach, describe, expect, it } from 'vitest';
import { openPeak } from '../bench/peak';
import { requestTestGpu } from '../dawn';

const patient = globalThis.setImmediate;

/** What came through `setImmediate` while `work` ran, for each millisecond of it. */
async function asksPerMs(work: () => Promise<unknown>, ask: typeof nodesOwn): Promise<number> {
  let asks = 0;
  globalThis.setImmediate = ((...args: Parameters<typeof nodesOwn>) => {
    asks++;
    return ask(...args);
  }) as typeof nodesOwn;
  const start = performance.now();
  await work();
  return asks / (performance.now() - start);
}

describe('a wait for the GPU', () => {
  afterEach(() => void (globalThis.setImmediate = patient));

  it('takes no processor of its own', async () => {
    const peak = await openPeak(await requestTestGpu());
    // Long enough, on a fast processor too, that the few that are asked at once do not count.
    const work = () => peak.run(20);
    await work();
    const before = await asksPerMs(work, nodesOwn);
    const now = await asksPerMs(work, patient);
    peak.dispose?.();
    expect(now).toBeLessThan(2);
    expect(before).toBeGreaterThan(4 * now);
  });

  it('asks at once a few times, then later, and anew after a pause', async () => {
    const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    /** A native function without a name, as Dawn's is. */
    const dawns = Object.defineProperty(String.bind(null), 'name', { value: '' });
    const isAtOnce = () => patient(dawns).constructor.name === 'Immediate';
    await wait(20);
    const first = Array.from({ length: 20 }, isAtOnce);
    const further = Array.from({ length: 100 }, isAtOnce);
    await wait(20);
    expect(first).not.toContain(false);
    expect(further.at(-1)).toBe(false);
    expect(isAtOnce()).toBe(true);
  });

  it('puts nobody else off', () => {
    const kinds = Array.from({ length: 200 }, () => patient(() => {}).constructor.name);
    expect(new Set(kinds)).toEqual(new Set(['Immediate']));
    expect(patient(String, 1).constructor.name).toBe('Immediate');
  });
});
