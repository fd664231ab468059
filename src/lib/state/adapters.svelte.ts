/** What was learned: adapters trained here, one for each checkpoint of a run, or imported. */
import type { AdapterSummary } from '../rpc/engine-api';
import { Collection } from './collection.svelte';
import { engine } from './engine.svelte';
import { lang } from './lang.svelte';

/** The checkpoints of one run, newest first; an imported adapter is alone. */
export interface AdapterGroup {
  name: string;
  newest: AdapterSummary;
  older: readonly AdapterSummary[];
}

export interface AdapterOption {
  value: string;
  label: string;
  /** Name of the run, where it has several checkpoints. */
  group?: string;
}

class Adapters extends Collection<AdapterSummary> {
  importing = $state(false);

  constructor() {
    super((api) => api.listAdapters());
  }

  /** That adapter; where its checkpoint is no longer kept, or only the run is named, the newest of the run. */
  find(id: string | undefined): AdapterSummary | undefined {
    if (id === undefined) return undefined;
    const ofSameRun = `${id.replace(/-step-\d+$/, '')}-step-`;
    return (
      this.byId(id) ??
      this.items
        .filter((adapter) => adapter.id.startsWith(ofSameRun))
        .sort((a, b) => stepOf(b) - stepOf(a))[0]
    );
  }

  name(id: string): string {
    const adapter = this.byId(id);
    return adapter ? this.nameOf(adapter) : id;
  }

  /** With its step, where its run has several. */
  nameOf({ id, name, runId, step }: AdapterSummary): string {
    const alone = !this.items.some((other) => other.runId === runId && other.id !== id);
    return runId === undefined || step === undefined || alone
      ? name
      : lang.t.common.atStep(step, name);
  }

  /** Newest first. */
  of(modelId: string | undefined): AdapterSummary[] {
    return this.items
      .filter((adapter) => adapter.modelId === modelId)
      .sort((a, b) => b.createdAt - a.createdAt);
  }

  /** Those of a model, or all; newest first. */
  groups(modelId?: string): AdapterGroup[] {
    const all = modelId === undefined ? [...this.items] : this.of(modelId);
    const keyOf = ({ runId, id }: AdapterSummary) => runId ?? id;
    return [...new Set(all.map(keyOf))].map((key) => {
      const members = all.filter((adapter) => keyOf(adapter) === key);
      const [newest, ...older] = members.sort((a, b) => stepOf(b) - stepOf(a));
      return { name: newest.name, newest, older };
    });
  }

  options(modelId: string | undefined): AdapterOption[] {
    return this.groups(modelId ?? '').flatMap(({ name, newest, older }) =>
      [newest, ...older].map((adapter) => ({
        value: adapter.id,
        label: this.nameOf(adapter),
        group: older.length > 0 ? name : undefined,
      })),
    );
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
}

const stepOf = ({ step }: AdapterSummary): number => step ?? 0;

export const adapters = new Adapters();
