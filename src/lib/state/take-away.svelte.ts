/** Merging an adapter into a model of its own, and writing files to take away. */
import type { CountProgress, ExportedFile, ExportRequest, ModelSummary } from '../rpc/engine-api';
import { engine, type Activity } from './engine.svelte';
import { models } from './models.svelte';

class TakeAway {
  running = $state<'export' | 'merge'>();
  progress = $state.raw<CountProgress>();
  exported = $state.raw<ExportedFile>();
  error = $state.raw<unknown>();
  #abort: AbortController | undefined;

  export(request: ExportRequest, signal?: AbortSignal): Promise<ExportedFile> {
    return this.#run('export', signal, async (inner) => {
      this.exported = undefined;
      this.exported = await engine.track('exporting', '', (api, activity) =>
        api.exportModel(request, { signal: inner, onProgress: this.#show(activity) }),
      );
      return this.exported;
    });
  }

  merge(modelId: string, adapterId: string, name: string): Promise<ModelSummary> {
    return this.#run('merge', undefined, async (inner) => {
      const model = await engine.track('exporting', '', (api, activity) =>
        api.merge(
          { modelId, adapterId, name },
          { signal: inner, onProgress: this.#show(activity) },
        ),
      );
      await models.refresh();
      void engine.refreshDevice();
      return model;
    });
  }

  stop(): void {
    this.#abort?.abort();
  }

  async #run<Result>(
    kind: 'export' | 'merge',
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const abort = (this.#abort = new AbortController());
    signal?.addEventListener('abort', () => abort.abort(), { once: true });
    this.running = kind;
    this.progress = undefined;
    this.error = undefined;
    try {
      return await work(abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) this.error = error;
      throw error;
    } finally {
      this.running = undefined;
    }
  }

  #show = (activity: Activity) => (update: CountProgress) => {
    this.progress = update;
    activity.share = update.total > 0 ? update.done / update.total : 0;
  };
}

export const takeAway = new TakeAway();
