/** What the chosen data holds, looked at anew a moment after the form was changed. */
import type { CountProgress, DataInspection, InspectRequest } from '../rpc/engine-api';
import { engine } from './engine.svelte';
import { models } from './models.svelte';

/** Typing a number changes the form with every key. */
const PAUSE_MS = 300;

class Inspection {
  /** Of the form as it is or, while the answer is under way, as it was for the same data. */
  value = $state.raw<DataInspection>();
  /** What `value` was asked with: its rows are of these data sets. */
  of = $state.raw<InspectRequest>();
  progress = $state.raw<CountProgress>();
  looking = $state(false);
  error = $state.raw<unknown>();
  #stop: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param request undefined where there is nothing to look at */
  ask(request: InspectRequest | undefined): void {
    this.stop();
    if (request?.datasetId !== this.of?.datasetId || request?.modelId !== this.of?.modelId)
      this.value = this.of = undefined;
    this.error = undefined;
    this.looking = request !== undefined;
    if (request) this.#timer = setTimeout(() => void this.#look(request), PAUSE_MS);
  }

  /** What is known stays; the worker is free for something else. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#stop?.abort();
    this.#stop = this.progress = undefined;
    this.looking = false;
  }

  async #look(request: InspectRequest): Promise<void> {
    const stop = (this.#stop = new AbortController());
    const { signal } = stop;
    try {
      const onProgress = (update: CountProgress) => {
        if (!signal.aborted) this.progress = update;
      };
      const value = await engine.call((api) => api.inspectData(request, { signal, onProgress }));
      if (signal.aborted) return;
      this.value = value;
      this.of = request;
    } catch (error) {
      if (signal.aborted) return;
      this.value = this.of = undefined;
      this.error = error;
      models.follow(error);
    }
    this.looking = false;
    this.progress = undefined;
  }
}

export const inspection = new Inspection();
