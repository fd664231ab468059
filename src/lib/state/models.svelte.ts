/** The models of this device and the catalogue, and which one is open. */
import type { LoadProgress, ModelSummary, OpenModel } from '../rpc/engine-api';
import { InkstoneError } from '../config';
import { Collection } from './collection.svelte';
import { engine, type Activity } from './engine.svelte';
import { serviceWorker } from './service-worker.svelte';

class Models extends Collection<ModelSummary> {
  current = $state.raw<OpenModel>();
  /** Of the opening or import under way. */
  progress = $state.raw<LoadProgress>();
  openingId = $state<string>();
  importing = $state(false);
  #abort: AbortController | undefined;

  constructor() {
    super((api) => api.listModels());
    engine.onRestart(() => (this.current = undefined));
  }

  readonly present = $derived(this.items.filter((model) => model.present));
  /** What pages start with: the open model, else the bundled one. */
  readonly preferred = $derived(
    this.current ?? this.present.find((model) => model.origin === 'bundled') ?? this.present[0],
  );

  name(id: string): string {
    return this.byId(id)?.name ?? id;
  }

  /** Opens a model unless it is the open one. */
  async open(modelId: string): Promise<OpenModel> {
    if (this.current?.id === modelId) return this.current;
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    this.openingId = modelId;
    this.progress = undefined;
    try {
      this.current = await engine.track('opening', this.name(modelId), (api, activity) =>
        api.openModel({ modelId }, { signal: abort.signal, onProgress: this.#show(activity) }),
      );
      if (!this.byId(modelId)?.present) void this.refresh();
      if (this.current.origin === 'bundled') void serviceWorker.keepBundled();
      return this.current;
    } finally {
      if (this.#abort === abort) {
        this.openingId = undefined;
        this.progress = undefined;
      }
    }
  }

  /** A model whose files the browser has cleared is one to download, or gone: the list is read again. */
  follow(error: unknown): void {
    if (error instanceof InkstoneError && error.code === 'evicted') void this.refresh();
  }

  cancel(): void {
    this.#abort?.abort();
  }

  async close(): Promise<void> {
    await engine.call((api) => api.closeModel());
    this.current = undefined;
  }

  async importFiles(files: readonly File[], name: string): Promise<ModelSummary> {
    const abort = (this.#abort = new AbortController());
    this.importing = true;
    try {
      const model = await engine.track('busy', name, (api, activity) =>
        api.importModel(
          { files, name },
          { signal: abort.signal, onProgress: this.#show(activity) },
        ),
      );
      await this.refresh();
      void engine.refreshDevice();
      return model;
    } finally {
      this.importing = false;
      this.progress = undefined;
    }
  }

  async remove(modelId: string): Promise<void> {
    await engine.call((api) => api.deleteModel({ modelId }));
    if (this.current?.id === modelId) this.current = undefined;
    await this.refresh();
    void engine.refreshDevice();
  }

  #show = (activity: Activity) => (update: LoadProgress) => {
    this.progress = update;
    activity.share = shareOf(update);
  };
}

export const shareOf = (progress: LoadProgress | undefined): number =>
  progress && progress.totalBytes > 0 ? Math.min(1, progress.doneBytes / progress.totalBytes) : 0;

export const models = new Models();
