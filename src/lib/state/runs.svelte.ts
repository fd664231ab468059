/** The history of training runs, and deleting from it. */
import { version } from '$app/environment';
import type { AdapterSummary, RunSummary } from '../rpc/engine-api';
import { adapters } from './adapters.svelte';
import { Collection } from './collection.svelte';
import { MOST_COMPARED } from './compare-runs';
import { datasets } from './datasets.svelte';
import { engine } from './engine.svelte';
import { models } from './models.svelte';
import { recallRequest } from './remembered-requests';
import { cardFileName, makeRunCard } from './run-card';
import { saveText } from './save-file';
import { canGoOn, goesOnFrom, startsAgainFrom } from './ways-on';

class Runs extends Collection<RunSummary> {
  constructor() {
    super((api) => api.listRuns());
  }

  readonly newestFirst = $derived([...this.items].sort((a, b) => b.createdAt - a.createdAt));

  #ticked = $state.raw<readonly string[]>([]);
  /** Ticked to be laid over each other, in the order of the ticks. */
  readonly compared = $derived(
    this.#ticked.map((id) => this.byId(id)).filter((run) => run !== undefined),
  );
  readonly canTickMore = $derived(this.compared.length < MOST_COMPARED);

  isTicked(runId: string): boolean {
    return this.#ticked.includes(runId);
  }

  tick(runId: string, on: boolean): void {
    const others = this.compared.map(({ id }) => id).filter((id) => id !== runId);
    if (!on) this.#ticked = others;
    else if (this.canTickMore) this.#ticked = [...others, runId];
  }

  untickAll(): void {
    this.#ticked = [];
  }

  /** Everything about a run, as a file for the person to keep. */
  async saveCard(run: RunSummary): Promise<void> {
    await Promise.all([datasets.ensure(), models.ensure()]);
    const card = makeRunCard(run, {
      model: models.byId(run.modelId),
      dataset: datasets.byId(run.datasetId),
      evalDataset: datasets.byId(run.evalDatasetId),
      remembered: recallRequest(run.id),
      appVersion: version,
    });
    saveText(JSON.stringify(card, null, 2), cardFileName(run), 'application/json');
  }

  /** What Hugging Face's Trainer would have left in the run's folder, under its name. */
  async saveTrainerState(run: RunSummary): Promise<void> {
    const text = await engine.call((api) => api.readTrainerState({ runId: run.id }));
    saveText(text, 'trainer_state.json', 'application/json');
  }

  /** Whether an unfinished run would have to start again without this checkpoint. */
  needs({ runId, step }: Pick<AdapterSummary, 'runId' | 'step'>): boolean {
    const run = this.byId(runId);
    return run !== undefined && canGoOn(run) && goesOnFrom(run) === step;
  }

  /** Unfinished rounds that have no checkpoint yet and would start again from one of these adapters. */
  roundsFrom(adapterIds: readonly string[]): RunSummary[] {
    return this.newestFirst.filter((run) => {
      const needed = startsAgainFrom(run);
      return needed !== undefined && adapterIds.includes(needed);
    });
  }

  /** Unfinished runs that could not go on without this data or model. */
  unfinishedWith(what: { datasetId?: string; modelId?: string }): RunSummary[] {
    return this.newestFirst.filter(
      (run) =>
        canGoOn(run) &&
        (run.modelId === what.modelId ||
          (what.datasetId !== undefined &&
            [run.datasetId, run.evalDatasetId].includes(what.datasetId))),
    );
  }

  async rename(runId: string, name: string): Promise<void> {
    await engine.call((api) => api.renameRun({ runId, name }));
    await this.#refreshAll();
  }

  async remove(runId: string, keepAdapter: boolean): Promise<void> {
    await engine.call((api) => api.deleteRun({ runId, keepAdapter }));
    await this.#refreshAll();
  }

  /** A checkpoint of a run, or an adapter that has none. */
  async removeAdapter(adapterId: string): Promise<void> {
    await engine.call((api) => api.deleteAdapter({ adapterId }));
    await this.#refreshAll();
  }

  async #refreshAll(): Promise<void> {
    await Promise.all([this.refresh(), adapters.refresh()]);
    void engine.refreshDevice();
  }
}

export const runs = new Runs();
