/** A runtime whose files are damaged or whose threads never come: what a person is told, and when. */
import { loadRuntime, type Backend } from '../../../src/lib/inference';

interface Attempt {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly elapsedMs: number;
}

/** Loads the runtime some times in one thread; the test serves it what it likes. */
async function loadAgain(backend: Backend, times: number): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  for (let time = 0; time < times; time++) attempts.push(await attempt(backend));
  return attempts;
}

/** Workers that stay silent are what a browser gives whose policy or memory refuses threads. */
async function loadWithSilentThreads(backend: Backend): Promise<Attempt> {
  Object.defineProperty(navigator, 'hardwareConcurrency', { value: 8, configurable: true });
  globalThis.Worker = class extends EventTarget {
    postMessage() {}
    terminate() {}
  } as unknown as typeof Worker;
  // Seconds pass thirty times as fast.
  const setRealInterval = globalThis.setInterval;
  globalThis.setInterval = ((work: () => void, ms: number) =>
    setRealInterval(work, ms / 30)) as typeof setInterval;
  return attempt(backend);
}

async function attempt(backend: Backend): Promise<Attempt> {
  const started = performance.now();
  const outcome = await loadRuntime(backend).then(
    () => ({ code: 'loaded', message: '', retryable: false }),
    (error: Attempt) => ({
      code: error.code,
      message: error.message,
      retryable: error.retryable,
    }),
  );
  return { ...outcome, elapsedMs: performance.now() - started };
}

export const damageScenarios = { loadAgain, loadWithSilentThreads };
