/** Starts a worker for each scenario, as the app runs inference in one, and hands its answer on. */
import type { ScenarioName, ScenarioResult } from './scenarios';

export interface ScenarioCall {
  readonly name: ScenarioName;
  readonly args: readonly unknown[];
}

export type ScenarioReply = { readonly result: unknown } | { readonly error: string };

declare global {
  interface Window {
    runScenario: <N extends ScenarioName>(
      name: N,
      ...args: readonly unknown[]
    ) => Promise<ScenarioResult<N>>;
  }
}

window.runScenario = (name, ...args) =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }: MessageEvent<ScenarioReply>) => {
      worker.terminate();
      if ('error' in data) reject(new Error(data.error));
      else resolve(data.result as never);
    };
    worker.onerror = (event) => reject(new Error(`the worker failed: ${event.message}`));
    worker.postMessage({ name, args } satisfies ScenarioCall);
  });
