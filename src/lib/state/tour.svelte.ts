/**
 * The whole main job on sample data, step by step, with the same state classes as the pages: open,
 * data, ask, train, ask again, evaluate, export. It owns only the order and what to remember of it.
 */
import { COMMON_RECIPE } from '../config';
import type {
  DatasetSummary,
  EvaluationReport,
  ExportedFile,
  OpenModel,
  RunSummary,
} from '../rpc/engine-api';
import { streamAnswer } from './answer';
import { chat } from './chat.svelte';
import { datasets } from './datasets.svelte';
import { evaluations } from './evaluation.svelte';
import { lang } from './lang.svelte';
import { DEFAULT_GENERATION } from './local-shapes';
import { models } from './models.svelte';
import { findRecommended } from './recommended-recipe';
import { findSample, sampleLanguageOf } from './samples';
import { takeAway } from './take-away.svelte';
import { training } from './training.svelte';

export const TOUR_STEPS = [
  'open',
  'data',
  'before',
  'train',
  'after',
  'evaluate',
  'export',
] as const;
export type TourStep = (typeof TOUR_STEPS)[number];
export type TourPhase = 'idle' | 'running' | 'paused' | 'done' | 'failed' | 'cancelled';

/** Questions asked before and after, and those that score the two. */
const ASKED = 2;
const SCORED = 40;
const ANSWER_TOKENS = 96;

export interface TourTalk {
  question: string;
  before: string;
  after: string;
}

class Tour {
  phase = $state<TourPhase>('idle');
  step = $state<TourStep>();
  done = $state<readonly TourStep[]>([]);
  error = $state.raw<unknown>();
  model = $state.raw<OpenModel>();
  train = $state.raw<DatasetSummary>();
  held = $state.raw<DatasetSummary>();
  talks = $state<TourTalk[]>([]);
  run = $state.raw<RunSummary>();
  report = $state.raw<EvaluationReport>();
  file = $state.raw<ExportedFile>();
  #abort = new AbortController();
  #gate: Promise<void> | undefined;
  #open: (() => void) | undefined;

  readonly active = $derived(this.phase === 'running' || this.phase === 'paused');

  async start(): Promise<void> {
    if (this.active || training.active) return;
    this.#abort = new AbortController();
    this.phase = 'running';
    this.done = [];
    this.error = this.model = this.train = this.held = undefined;
    this.run = this.report = this.file = undefined;
    this.talks = [];
    try {
      await this.#do('open', () => this.#openModel());
      await this.#do('data', () => this.#takeData());
      await this.#do('before', () => this.#ask('before'));
      await this.#do('train', () => this.#train());
      await this.#do('after', () => this.#ask('after'));
      await this.#do('evaluate', () => this.#evaluate());
      await this.#do('export', () => this.#export());
      this.phase = 'done';
    } catch (error) {
      if (this.#abort.signal.aborted) this.phase = 'cancelled';
      else {
        this.error = error;
        this.phase = 'failed';
      }
    } finally {
      this.step = undefined;
    }
  }

  async pause(): Promise<void> {
    if (this.phase !== 'running') return;
    this.phase = 'paused';
    this.#gate = new Promise((resolve) => (this.#open = resolve));
    if (training.phase === 'running') await training.pause();
  }

  async resume(): Promise<void> {
    if (this.phase !== 'paused') return;
    this.phase = 'running';
    this.#open?.();
    this.#gate = undefined;
    if (training.phase === 'paused') await training.resume();
  }

  /** What the run has learned so far is kept. */
  async stop(): Promise<void> {
    const { signal } = this.#abort;
    if (!this.active || signal.aborted) return;
    this.#abort.abort();
    this.#open?.();
    if (this.step === 'train' && training.active) await training.stop(true);
  }

  async #do(step: TourStep, work: () => Promise<void>): Promise<void> {
    await this.#gate;
    this.#abort.signal.throwIfAborted();
    this.step = step;
    await work();
    this.#abort.signal.throwIfAborted();
    this.done = [...this.done, step];
  }

  async #openModel(): Promise<void> {
    await models.ensure();
    const bundled = models.items.find((model) => model.origin === 'bundled') ?? models.present[0];
    if (!bundled) throw models.error ?? new Error('No bundled model was found.');
    this.model = await models.open(bundled.id);
  }

  async #takeData(): Promise<void> {
    await datasets.ensure();
    const language = sampleLanguageOf(lang.locale);
    this.train = findSample(datasets.items, language, 'train');
    if (!this.train) throw datasets.error ?? new Error('No bundled sample was found.');
    this.held = findSample(datasets.items, language, 'eval') ?? this.train;
    const questions = await datasets.pickQuestions(this.held, ASKED);
    this.talks = questions.map((question) => ({ question, before: '', after: '' }));
  }

  async #ask(when: 'before' | 'after'): Promise<void> {
    const adapterId = when === 'after' ? this.run?.adapterId : undefined;
    for (const talk of this.talks) {
      await streamAnswer(
        {
          modelId: this.model!.id,
          adapterId,
          messages: [{ role: 'user', content: talk.question }],
          generation: { ...DEFAULT_GENERATION, max_new_tokens: ANSWER_TOKENS },
        },
        (text) => (talk[when] = text),
        this.#abort.signal,
      );
      this.#abort.signal.throwIfAborted();
    }
  }

  async #train(): Promise<void> {
    const { lora, training: options } =
      (await findRecommended(this.model, this.train)) ?? COMMON_RECIPE;
    this.run = await training.start({
      modelId: this.model!.id,
      datasetId: this.train!.id,
      evalShare: 0,
      evalDatasetId: this.held!.id === this.train!.id ? undefined : this.held!.id,
      peft: lora,
      training: options,
      samplePrompts: this.talks.map((talk) => talk.question),
      name: lang.t.train.runName(datasets.nameOf(this.train!), lang.format.dateTime(Date.now())),
    });
    chat.modelId = this.model!.id;
    chat.adapterId = this.run.adapterId;
    chat.save();
  }

  async #evaluate(): Promise<void> {
    this.report = await evaluations.run(
      {
        modelId: this.model!.id,
        adapterIds: this.run?.adapterId ? [undefined, this.run.adapterId] : [undefined],
        datasetId: this.held!.id,
        maxRows: SCORED,
        max_new_tokens: ANSWER_TOKENS,
      },
      this.#abort.signal,
    );
  }

  async #export(): Promise<void> {
    if (!this.run?.adapterId) return;
    this.file = await takeAway.export(
      { modelId: this.model!.id, adapterId: this.run.adapterId, format: 'peft' },
      this.#abort.signal,
    );
  }
}

export const tour = new Tour();
