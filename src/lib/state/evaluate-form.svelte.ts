/**
 * What the Evaluate page has chosen: model, who answers, and which questions; and what is known of these before
 * they are asked. Rows that a run held back come first, since a score on rows it learned from tells little.
 */
import type { QuestionChoice, RunSummary } from '../rpc/engine-api';
import { adapters } from './adapters.svelte';
import { datasets } from './datasets.svelte';
import { engine } from './engine.svelte';
import { evaluations } from './evaluation.svelte';
import { lang } from './lang.svelte';
import { models } from './models.svelte';
import { runs } from './runs.svelte';
import { findSample, sampleLanguageOf } from './samples';

/** Ticks and typed numbers come in quick succession. */
const PAUSE_MS = 250;

interface Asked {
  readonly model?: string;
  readonly adapter?: string;
}

interface Looked {
  readonly adapterIds: readonly string[];
  readonly count: number;
  readonly learnedRows: readonly (number | undefined)[];
}

const heldBy = ({ id }: RunSummary) => `held:${id}`;
const wholeOf = (datasetId: string) => `data:${datasetId}`;

class EvaluateForm {
  maxRows = $state(40);
  maxNewTokens = $state(128);
  /** Of the form as it is or, for a moment, as it was. */
  looked = $state.raw<Looked>();
  #asked = $state.raw<Asked>({});
  #model = $state<string>();
  #taking = $state.raw<readonly string[]>();
  #questions = $state<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking = new AbortController();

  readonly modelId = $derived(this.#model ?? this.#asked.model ?? models.preferred?.id);
  /** Adapter ids; '' is the base model. */
  readonly taking: readonly string[] = $derived.by(() => {
    const own = adapters.of(this.modelId);
    const first = this.#asked.adapter ? adapters.find(this.#asked.adapter) : own[0];
    return this.#taking ?? ['', ...own.filter(({ id }) => id === first?.id).map(({ id }) => id)];
  });
  /** Runs of those who answer that held rows back which are still here. */
  readonly #holding: readonly RunSummary[] = $derived.by(() => {
    const found = this.taking.map((id) => runs.byId(adapters.byId(id)?.runId));
    return [...new Set(found)].filter((run) => run !== undefined).filter(hasHeldBack);
  });
  readonly options = $derived([
    ...this.#holding.map((run) => ({
      value: heldBy(run),
      label: lang.t.evaluate.heldBackOf(run.name),
      group: lang.t.evaluate.heldBackGroup,
    })),
    ...datasets.items.map((dataset) => ({
      value: wholeOf(dataset.id),
      label: `${datasets.nameOf(dataset)} · ${lang.t.common.rows(dataset.rowCount)}`,
      group: this.#holding.length > 0 ? lang.t.evaluate.wholeGroup : undefined,
    })),
  ]);
  readonly questions = $derived.by(() => {
    const [held] = this.#holding;
    const sample = findSample(datasets.items, sampleLanguageOf(lang.locale), 'eval');
    const usual = held ? heldBy(held) : wholeOf((sample ?? datasets.items[0])?.id ?? '');
    return [this.#questions, usual].find((value) =>
      this.options.some((option) => option.value === value),
    );
  });
  readonly isHeldBack = $derived(this.questions?.startsWith('held:') ?? false);
  readonly allowed = $derived(
    isWhole(this.maxRows, 0) && isWhole(this.maxNewTokens, 1) && this.taking.length > 0,
  );
  /** Undefined while there is nothing to ask, or a number is being typed. */
  readonly choice: QuestionChoice | undefined = $derived.by(() => {
    const { questions, maxRows } = this;
    if (questions === undefined || !isWhole(maxRows, 0)) return undefined;
    const id = questions.slice(questions.indexOf(':') + 1);
    return this.isHeldBack ? { heldBackOf: id, maxRows } : { datasetId: id, maxRows };
  });
  /** Those who answer and have learned from some of the questions. */
  readonly learned: readonly { id: string; learned: number }[] = $derived.by(() => {
    const { adapterIds = [], learnedRows = [] } = this.looked ?? {};
    return adapterIds
      .map((id, index) => ({ id, learned: learnedRows[index] ?? 0 }))
      .filter(({ id, learned }) => learned > 0 && this.taking.includes(id));
  });
  /** What one press would choose instead; undefined where nothing better is there. */
  readonly better: string | undefined = $derived.by(() => {
    if (this.isHeldBack) return undefined;
    const own = this.learned.map(({ id }) => adapters.byId(id)?.runId);
    const run = this.#holding.find(({ id }) => own.includes(id)) ?? this.#holding[0];
    return run && heldBy(run);
  });

  async prepare(asked: Asked): Promise<void> {
    this.#asked = asked;
    if (asked.model !== undefined || asked.adapter !== undefined)
      this.#model = this.#taking = this.#questions = undefined;
    await Promise.all([
      ...[models.ensure(), datasets.ensure(), adapters.ensure(), runs.ensure()],
      evaluations.ensure(),
    ]);
  }

  chooseModel(modelId: string): void {
    this.#model = modelId;
    this.#taking = undefined;
  }

  take(ids: readonly string[]): void {
    this.#taking = ids;
  }

  /** @param value of one of `options` */
  ask(value: string): void {
    this.#questions = value;
  }

  async start(): Promise<void> {
    const { modelId, choice } = this;
    if (modelId === undefined || !choice) return;
    await evaluations.run({
      ...choice,
      modelId,
      adapterIds: this.taking.map((id) => id || undefined),
      max_new_tokens: this.maxNewTokens,
    });
  }

  /** What is known of the questions, a moment after the form was changed. */
  look(choice: QuestionChoice | undefined, adapterIds: readonly string[]): void {
    clearTimeout(this.#timer);
    this.#looking.abort();
    const { signal } = (this.#looking = new AbortController());
    if (choice && adapterIds.some(Boolean))
      this.#timer = setTimeout(() => void this.#look(choice, adapterIds, signal), PAUSE_MS);
    else this.looked = undefined;
  }

  async #look(
    choice: QuestionChoice,
    adapterIds: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const asked = { ...choice, adapterIds: adapterIds.map((id) => id || undefined) };
      const found = await engine.call((api) => api.inspectQuestions(asked, { signal }));
      if (!signal.aborted) this.looked = { ...found, adapterIds };
    } catch {
      // The start says what is wrong, and the report is warned in any case.
      if (!signal.aborted) this.looked = undefined;
    }
  }
}

const isWhole = (value: number, least: number): boolean =>
  Number.isInteger(value) && value >= least;

/** A run over data that was deleted cannot be rebuilt. */
const hasHeldBack = ({ datasetId, evalDatasetId, evalShare }: RunSummary): boolean =>
  datasets.byId(datasetId) !== undefined &&
  (evalDatasetId === undefined ? evalShare > 0 : datasets.byId(evalDatasetId) !== undefined);

export const evaluateForm = new EvaluateForm();
