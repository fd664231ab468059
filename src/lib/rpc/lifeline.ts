/**
 * How a caller notices a worker that is gone without an event, as when the browser took its memory: the
 * worker holds a lock of its own for life and says which, and the caller waits for that lock. It cannot be
 * had while the worker lives, however busy it is, so there is no false alarm and nothing to time.
 * Without Web Locks nothing is noticed, as before.
 *
 * Before the worker has said anything there is no lock to wait for: a worker that ends in its first
 * milliseconds is noticed because its first sign of life does not come. Only time in which the caller's own
 * thread was awake counts, so that neither a sleeping machine nor a page that was held up is an alarm.
 */
import { holdForLife, waitUntilFree } from '../storage/locks';

/** @returns the name of the lock that this thread holds from now on; undefined without Web Locks */
export async function tieLifeline(): Promise<string | undefined> {
  const name = `inkstone:alive:${crypto.randomUUID()}`;
  return (await holdForLife(name)) ? name : undefined;
}

/** Calls back when the thread that holds the lock is gone, unless the signal was aborted before. */
export function watchLifeline(name: string, signal: AbortSignal, onGone: () => void): void {
  void waitUntilFree(name, signal).then((isFree) => {
    if (isFree && !signal.aborted) onGone();
  });
}

/** A script of some megabytes over a slow line. Too early would end a worker that is well; too late only waits. */
export const FIRST_SIGN_MS = 120_000;
const TICK_MS = 1000;

/** Calls back when the signal was not aborted for so long. */
export function awaitFirstSign(withinMs: number, signal: AbortSignal, onSilence: () => void): void {
  const tickMs = Math.min(TICK_MS, withinMs);
  let left = Math.ceil(withinMs / tickMs);
  const tick = (): void => {
    if (signal.aborted) return;
    if (left-- === 0) onSilence();
    else timer = setTimeout(tick, tickMs);
  };
  let timer = setTimeout(tick, 0);
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
}
