/** Plan: everybody gets the result; one who leaves leaves alone; the last who leaves ends it; progress goes to all. */
import { describe, expect, it } from 'vitest';
import { SharedWork } from '$lib/engine/shared-work';

function work() {
  let finish = (_result: string) => {};
  let fail = (_error: Error) => {};
  let tell = (_share: number) => {};
  let signal: AbortSignal | undefined;
  const shared = new SharedWork<string, number>((stop, progress) => {
    signal = stop;
    tell = progress;
    return new Promise((resolve, reject) => {
      [finish, fail] = [resolve, reject];
      stop.addEventListener('abort', () => reject(stop.reason as Error));
    });
  });
  return {
    shared,
    ...{ finish: (result: string) => finish(result), fail: (error: Error) => fail(error) },
    ...{ tell: (share: number) => tell(share), stopped: () => signal?.aborted },
  };
}

const never = () => new AbortController().signal;

describe('work that several wait for', () => {
  it('gives its result to all, and later to whoever asks', async () => {
    const { shared, finish, stopped } = work();
    const both = Promise.all([shared.wait(never()), shared.wait(never())]);
    finish('done');
    expect(await both).toEqual(['done', 'done']);
    expect(await shared.wait(never())).toBe('done');
    expect([stopped(), shared.abandoned]).toEqual([false, false]);
  });

  it('goes on when one of two leaves, and ends when the other does', async () => {
    const { shared, stopped } = work();
    const [first, second] = [new AbortController(), new AbortController()];
    const waits = [shared.wait(first.signal), shared.wait(second.signal)];
    first.abort();
    await expect(waits[0]).rejects.toMatchObject({ name: 'AbortError' });
    expect(stopped()).toBe(false);
    second.abort();
    await expect(waits[1]).rejects.toMatchObject({ name: 'AbortError' });
    expect([stopped(), shared.abandoned]).toEqual([true, true]);
    expect(await shared.settled()).toBeUndefined();
  });

  it('is not ended by one who leaves when it is done', async () => {
    const { shared, finish } = work();
    const caller = new AbortController();
    const waiting = shared.wait(caller.signal);
    finish('done');
    await waiting;
    caller.abort();
    expect(shared.abandoned).toBe(false);
    expect(await shared.settled()).toBe('done');
  });

  it('tells all who wait how far it is, and what went wrong', async () => {
    const { shared, tell, fail } = work();
    const heard: string[] = [];
    const waits = ['a', 'b'].map((name) =>
      shared.wait(never(), (share) => heard.push(`${name} ${share}`)),
    );
    tell(0.5);
    expect(heard).toEqual(['a 0.5', 'b 0.5']);
    fail(new RangeError('no'));
    for (const wait of waits) await expect(wait).rejects.toThrow('no');
    tell(1);
    expect(heard).toHaveLength(2);
  });

  it('refuses a caller that has left already', async () => {
    const { shared } = work();
    await expect(shared.wait(AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
  });
});
