/** Has what a run needs compiled while its person still chooses the data. */
import type { KernelSettings } from '../rpc/engine-api';
import { engine } from './engine.svelte';

/** Typing a number changes the form with every key. */
const PAUSE_MS = 400;

class CompileAhead {
  #asked = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isFirst = true;

  /** @param settings undefined where nothing can be compiled, or is compiled by whoever tells the run's time */
  ask(settings: KernelSettings | undefined): void {
    clearTimeout(this.#timer);
    this.#asked.abort();
    this.#asked = new AbortController();
    if (!settings) return;
    const { signal } = this.#asked;
    // A page that has just come needs no pause.
    this.#timer = setTimeout(() => void compile(settings, signal), this.#isFirst ? 0 : PAUSE_MS);
    this.#isFirst = false;
  }
}

/** A courtesy: the start of the run tells what is wrong. */
async function compile(settings: KernelSettings, signal: AbortSignal): Promise<void> {
  await engine.call((api) => api.compileAhead(settings, { signal })).catch(() => undefined);
}

export const compileAhead = new CompileAhead();
