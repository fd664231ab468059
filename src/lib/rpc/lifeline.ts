/**
 * How a caller notices a worker that is gone without an event, as when the browser took its memory: the
 * worker holds a lock of its own for life and says which, and the caller waits for that lock. It cannot be
 * had while the worker lives, however busy it is, so there is no false alarm and nothing to time.
 * Without Web Locks nothing is noticed, as before.
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
