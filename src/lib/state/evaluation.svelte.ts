/** Evaluations: the one under way and those kept. */
import type { CountProgress, EvaluateRequest, EvaluationReport } from '../rpc/engine-api';
import { Collection } from './collection.svelte';
import { datasets } from './datasets.svelte';
import { engine } from './engine.svelte';
import { lang } from './lang.svelte';
import { models } from './models.svelte';
import { runs } from './runs.svelte';

class Evaluations extends Collection<EvaluationReport> {
  running = $state(false);
  progress = $state.raw<CountProgress>();
  runError = $state.raw<unknown>();
  /** One has been completed since the page was opened. */
  finished = $state(false);
  shownId = $state<string>();
  #abort: AbortController | undefined;

  constructor() {
    super((api) => api.listEvaluations());
  }

  readonly newestFirst = $derived([...this.items].sort((a, b) => b.createdAt - a.createdAt));
  readonly shown = $derived(this.byId(this.shownId) ?? this.newestFirst[0]);

  /** @throws what the engine throws, an AbortError included */
  async run(request: EvaluateRequest, signal?: AbortSignal): Promise<EvaluationReport> {
    const abort = (this.#abort = new AbortController());
    signal?.addEventListener('abort', () => abort.abort(), { once: true });
    this.running = true;
    this.finished = false;
    this.progress = undefined;
    this.runError = undefined;
    try {
      await models.open(request.modelId);
      const report = await engine.track('evaluating', '', (api, activity) =>
        api.evaluate(request, {
          signal: abort.signal,
          onProgress: (update) => {
            this.progress = update;
            activity.share = update.total > 0 ? update.done / update.total : 0;
          },
        }),
      );
      this.items = [report, ...this.items.filter((item) => item.id !== report.id)];
      this.shownId = report.id;
      this.finished = true;
      return report;
    } catch (error) {
      if (!abort.signal.aborted) this.runError = error;
      throw error;
    } finally {
      this.running = false;
    }
  }

  /** Which rows it is about, and when it was made. */
  titleOf({ heldBackOf, datasetId, createdAt }: EvaluationReport): string {
    const t = lang.t.evaluate;
    // A run that was renamed since is known by its new name.
    const rows = heldBackOf
      ? t.heldBackOf(runs.byId(heldBackOf.runId)?.name ?? heldBackOf.name)
      : datasets.name(datasetId);
    return t.resultOf(rows, lang.format.dateTime(createdAt));
  }

  stop(): void {
    this.#abort?.abort();
  }

  async remove(evaluationId: string): Promise<void> {
    await engine.call((api) => api.deleteEvaluation({ evaluationId }));
    if (this.shownId === evaluationId) this.shownId = undefined;
    await this.refresh();
  }
}

export const evaluations = new Evaluations();
