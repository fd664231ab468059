/**
 * The screen stays on while a run goes. Plan: asked for at the start and given back at the end; lost with a hidden tab
 * and asked for again when it is seen; taken by the system while the page is seen, it is no longer said to be there; a
 * refusal, and a browser that has no such thing, change nothing but what is said.
 */
import { afterEach, expect, test, vi } from 'vitest';
import { ScreenWake } from '../../src/lib/state/screen-wake';

/** As the platform's: told to go or taken away, it says so once. */
class FakeLock extends EventTarget {
  released = false;

  async release(): Promise<void> {
    if (this.released) return;
    this.released = true;
    this.dispatchEvent(new Event('release'));
  }
}

function browser(request?: () => Promise<FakeLock>) {
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  vi.stubGlobal('document', document);
  vi.stubGlobal('navigator', request ? { wakeLock: { request } } : {});
  const said: boolean[] = [];
  const wake = new ScreenWake((awake) => said.push(awake));
  const show = async (visibilityState: 'visible' | 'hidden') => {
    document.visibilityState = visibilityState;
    document.dispatchEvent(new Event('visibilitychange'));
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { wake, said, show };
}

function granting(locks: FakeLock[]) {
  return async () => {
    const lock = new FakeLock();
    locks.push(lock);
    return lock;
  };
}

afterEach(() => vi.unstubAllGlobals());

test('is asked for at the start, and given back at the end', async () => {
  const locks: FakeLock[] = [];
  const { wake, said, show } = browser(granting(locks));
  await wake.hold();
  expect(locks.map(({ released }) => released)).toEqual([false]);
  await wake.release();
  expect(locks.map(({ released }) => released)).toEqual([true]);
  expect(said).toEqual([true, false]);
  // Nothing is asked for after the end.
  await show('hidden');
  await show('visible');
  expect(locks).toHaveLength(1);
});

test('is asked for again when a hidden tab is seen', async () => {
  const locks: FakeLock[] = [];
  const { wake, said, show } = browser(granting(locks));
  await wake.hold();
  // The browser takes it from a tab that nobody sees.
  await locks[0].release();
  await show('hidden');
  expect(locks).toHaveLength(1);
  await show('visible');
  expect(locks).toHaveLength(2);
  expect(said).toEqual([true, false, true]);
  await wake.release();
  expect(locks[1].released).toBe(true);
});

test('that the system takes while the page is seen is said to be gone, and asked for again', async () => {
  const locks: FakeLock[] = [];
  const { wake, said, show } = browser(granting(locks));
  await wake.hold();
  await locks[0].release();
  expect(said).toEqual([true, false]);
  await show('visible');
  expect(said).toEqual([true, false, true]);
  // One that is held is not asked for twice.
  await show('visible');
  expect(locks).toHaveLength(2);
  await wake.release();
  expect(said).toEqual([true, false, true, false]);
});

test('that comes when nobody wants it any more is given back at once', async () => {
  const locks: FakeLock[] = [];
  let grant = () => {};
  const asked = new Promise<void>((resolve) => (grant = resolve));
  const { wake, said } = browser(() => asked.then(granting(locks)));
  const holding = wake.hold();
  await wake.release();
  grant();
  await holding;
  expect(locks.map(({ released }) => released)).toEqual([true]);
  expect(said).not.toContain(true);
});

test('may be refused, or not be there', async () => {
  const refused = browser(() => Promise.reject(new Error('low battery')));
  await refused.wake.hold();
  expect(refused.said).toEqual([false]);
  const without = browser();
  await without.wake.hold();
  expect(without.said).toEqual([false]);
});
