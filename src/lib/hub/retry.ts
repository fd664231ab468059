/** Tries again while an error is retryable and the attempts bring something. */
import { HubError } from './errors';

export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>;

export interface RetryOptions {
  signal?: AbortSignal;
  sleep?: Sleep;
  /** Grows as the work gets on; an attempt that made it grow does not count. */
  progress: () => number;
}

const MAX_ATTEMPTS = 6;
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 30_000;

export async function retrying<Result>(
  work: () => Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const { signal, sleep = sleepFor, progress } = options;
  let failures = 0;
  let wrongBytes = 0;
  for (;;) {
    const before = progress();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof HubError)) throw error;
      // Once: a broken cache on the way may have mended. Twice the same is the host's own file.
      const secondChance = error.code === 'wrong-bytes' && wrongBytes++ === 0;
      if (!error.retryable && !secondChance) throw error;
      failures = progress() > before ? 1 : failures + 1;
      if (failures >= MAX_ATTEMPTS) throw error;
      const backoff = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
      // A spread of a quarter, so that many browsers do not come back in step.
      const waitMs = Math.max(
        backoff * (0.75 + Math.random() / 2),
        (error.retryAfterS ?? 0) * 1000,
      );
      await sleep(waitMs, signal);
    }
  }
}

const sleepFor: Sleep = (ms, signal) =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
