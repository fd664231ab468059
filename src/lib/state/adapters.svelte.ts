/** What was learned: adapters trained here or imported. */
import type { AdapterSummary } from '../rpc/engine-api';
import { Collection } from './collection.svelte';
import { engine } from './engine.svelte';

class Adapters extends Collection<AdapterSummary> {
  importing = $state(false);

  constructor() {
    super((api) => api.listAdapters());
  }

  name(id: string): string {
    return this.byId(id)?.name ?? id;
  }

  /** Newest first. */
  of(modelId: string | undefined): AdapterSummary[] {
    return this.items
      .filter((adapter) => adapter.modelId === modelId)
      .sort((a, b) => b.createdAt - a.createdAt);
  }

  async importFiles(
    files: readonly File[],
    modelId: string,
    name: string,
  ): Promise<AdapterSummary> {
    this.importing = true;
    try {
      const adapter = await engine.call((api) => api.importAdapter({ files, modelId, name }));
      await this.refresh();
      return adapter;
    } finally {
      this.importing = false;
    }
  }

  async remove(adapterId: string): Promise<void> {
    await engine.call((api) => api.deleteAdapter({ adapterId }));
    await this.refresh();
  }
}

export const adapters = new Adapters();
