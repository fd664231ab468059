/** The history of training runs. */
import type { RunSummary } from '../rpc/engine-api';
import { adapters } from './adapters.svelte';
import { Collection } from './collection.svelte';
import { engine } from './engine.svelte';

class Runs extends Collection<RunSummary> {
  constructor() {
    super((api) => api.listRuns());
  }

  readonly newestFirst = $derived([...this.items].sort((a, b) => b.createdAt - a.createdAt));

  async rename(runId: string, name: string): Promise<void> {
    await engine.call((api) => api.renameRun({ runId, name }));
    await Promise.all([this.refresh(), adapters.refresh()]);
  }

  async remove(runId: string): Promise<void> {
    await engine.call((api) => api.deleteRun({ runId }));
    await Promise.all([this.refresh(), adapters.refresh()]);
  }
}

export const runs = new Runs();
