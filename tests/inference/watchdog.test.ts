/**
 * Plan: work that ends in time, by result and by error; work that goes still; work that moves now and
 * then for longer than the limit; a thread that is held for longer than the limit.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withWatchdog } from '$lib/inference/watchdog';

const still = () => new Error('still');

describe('a watchdog of five seconds', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

  it('hands on what ends in time, and leaves no timer', async () => {
    const good = withWatchdog(5, () => sleep(4500).then(() => 'done'), still);
    const bad = withWatchdog(
      5,
      () => sleep(4500).then(() => Promise.reject(new Error('x'))),
      still,
    );
    const outcome = Promise.allSettled([good, bad]);
    await vi.advanceTimersByTimeAsync(4500);
    expect(await outcome).toMatchObject([{ value: 'done' }, { reason: { message: 'x' } }]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends what goes still, once', async () => {
    const onStill = vi.fn(still);
    const outcome = withWatchdog(5, () => new Promise(() => {}), onStill).catch(String);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await outcome).toBe('Error: still');
    expect(onStill).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets go on what moves, however long it takes', async () => {
    const work = async (moved: () => void) => {
      for (let part = 0; part < 5; part++) {
        await sleep(4000);
        moved();
      }
      return 'done';
    };
    const outcome = withWatchdog(5, work, still);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await outcome).toBe('done');
  });
});

describe('a thread that is held', () => {
  it('does not count the seconds that it did not live through', async () => {
    const begin = performance.now();
    const held = withWatchdog(
      2,
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 0));
        while (performance.now() - begin < 3500);
        await new Promise((resolve) => setTimeout(resolve, 50));
        return 'done';
      },
      still,
    );
    expect(await held).toBe('done');
  });
});
