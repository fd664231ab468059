/** What the Train page has chosen: model, where to start, data, evaluation data. Turns it into a request. */
import type {
  DatasetSummary,
  InspectRequest,
  KernelSettings,
  LeaveOut,
  RunSummary,
  TrainRequest,
  TrainSettings,
} from '../rpc/engine-api';
import { InkstoneError } from '../config';
import { adapters } from './adapters.svelte';
import { chat } from './chat.svelte';
import { datasets } from './datasets.svelte';
import { engine } from './engine.svelte';
import { inspection } from './inspection.svelte';
import { lang } from './lang.svelte';
import { models } from './models.svelte';
import type { EvalSource, KeptForm } from './kept-form';
import { recipe } from './recipe.svelte';
import { isAllowed } from './recipe-limits';
import { findRecommended, type RecipeParts } from './recommended-recipe';
import { recallRequest } from './remembered-requests';
import { askingOf } from './run-asking';
import { runs } from './runs.svelte';
import { sampleAsking } from './sample-asking.svelte';
import { heldBackOf, isHeldBack } from './samples';
import { training } from './training.svelte';
import { slowerRequest, wayOn } from './ways-on';

const PROMPTS = 2;

class TrainForm {
  modelId = $state<string>();
  datasetId = $state<string>();
  #evalSource = $state<EvalSource>('bundled');
  #evalDatasetId = $state<string>();
  /** Of the chosen data; another choice begins with all of it again. */
  leaveOut = $state.raw<readonly LeaveOut[]>([]);
  #initAdapterId = $state<string>();
  /** Undefined where the person has written some, or none. */
  #suggested = $state<string | undefined>('');
  /** The adapter to start from, until the list of them is read. */
  #awaited = $state.raw<KeptForm['start']>();

  readonly model = $derived(models.byId(this.modelId) ?? models.preferred);
  readonly dataset = $derived(datasets.byId(this.datasetId));
  /** Questions that come with the chosen sample. */
  readonly heldBack = $derived(heldBackOf(datasets.items, this.dataset));

  /** The person's data beside the chosen one, newest first. */
  readonly evalCandidates: readonly DatasetSummary[] = $derived(
    this.dataset
      ? datasets.items.filter(({ id, origin }) => origin === 'imported' && id !== this.datasetId)
      : [],
  );
  readonly #ownEvalSet = $derived(this.evalCandidates.find(({ id }) => id === this.#evalDatasetId));
  /** As chosen, where the data has it. */
  readonly evalSource: EvalSource = $derived(
    this.#evalSource === 'own' && this.#ownEvalSet
      ? 'own'
      : this.#evalSource !== 'share' && this.heldBack
        ? 'bundled'
        : 'share',
  );
  /** The data set to evaluate on; undefined where a share of the data is held back. */
  readonly evalSet: DatasetSummary | undefined = $derived(
    { own: this.#ownEvalSet, bundled: this.heldBack, share: undefined }[this.evalSource],
  );
  /** A share of rows that are all alike holds back none; so far as nobody has looked, it does. */
  readonly #holdsBack: boolean = $derived.by(() => {
    const { of, value } = inspection;
    const isLookedAt =
      of?.datasetId === this.datasetId &&
      of?.evalDatasetId === this.evalSet?.id &&
      (this.evalSet !== undefined || of?.evalShare === recipe.evalShare);
    if (isLookedAt && value) return value.evalRows > 0;
    return this.evalSet !== undefined || recipe.evalShare > 0;
  });

  /** The adapter that a run would start from; undefined for the model as it is. */
  readonly startAdapter = $derived(
    adapters.items.find(
      ({ id, modelId }) => id === this.#initAdapterId && modelId === this.model?.id,
    ),
  );

  /** The adapter that was chosen is there no more. */
  readonly startsFromMissing = $derived(
    this.#initAdapterId !== undefined && this.startAdapter === undefined,
  );

  /** The recipe that was tuned for this pair, if there is one. */
  recommended = $state.raw<RecipeParts>();

  /** What a run would be started with; undefined while model or data are missing. */
  readonly settings: TrainSettings | undefined = $derived.by(() => {
    const { model, dataset, evalSet } = this;
    if (!model || !dataset) return undefined;
    return {
      modelId: model.id,
      datasetId: dataset.id,
      evalShare: evalSet ? 0 : recipe.evalShare,
      evalDatasetId: evalSet?.id,
      leaveOut: this.leaveOut.length > 0 ? this.leaveOut : undefined,
      initAdapterId: this.startAdapter?.id,
      peft: recipe.peft,
      training: recipe.training,
    };
  });
  /** As far as kernels go; undefined while there is no model. */
  readonly kernelSettings: KernelSettings | undefined = $derived(
    this.model && {
      modelId: this.model.id,
      initAdapterId: this.startAdapter?.id,
      peft: recipe.peft,
      training: recipe.training,
    },
  );
  /** Choices that do not go together, with what would mend them. */
  readonly conflict = $derived(recipe.conflict(this.evalSet !== undefined || recipe.evalShare > 0));
  /** What is asked of the data; undefined while model or data are missing, or the length is being typed. */
  readonly inspectRequest: InspectRequest | undefined = $derived.by(() => {
    if (!this.settings) return undefined;
    const { modelId, datasetId, evalShare, evalDatasetId, leaveOut, training } = this.settings;
    const { max_length: maxLength, train_on_prompt: trainOnPrompt, seed } = training;
    const { split_long_text: splitLongText } = training;
    if (!isAllowed('max_length', maxLength) || !isAllowed('seed', seed)) return undefined;
    return {
      ...{ modelId, datasetId, evalShare, evalDatasetId, leaveOut },
      ...{ maxLength, trainOnPrompt, splitLongText, seed },
    };
  });
  /** Opening a model to measure it is cheap: it is the bundled one, or open already. */
  readonly isCheap = $derived(
    this.model !== undefined &&
      (this.model.origin === 'bundled' || this.model.id === models.current?.id),
  );

  /** The model that the person agreed to download and open to be told what a run would take. */
  #agreedTo = $state<string>();
  readonly mayOpen = $derived(this.isCheap || this.#agreedTo === this.model?.id);
  /** What a model on this device says without being opened: how long rows are, what is trained, what memory it takes. */
  readonly mayLook = $derived(this.mayOpen || this.model?.present === true);

  agreeToOpen(): void {
    this.#agreedTo = this.model?.id;
  }

  constructor() {
    recipe.followData({
      holdsBack: () => this.#holdsBack,
      isText: () => this.dataset?.schema === 'text',
    });
  }

  async prepare(): Promise<void> {
    await Promise.all([models.ensure(), datasets.ensure(), adapters.ensure()]);
  }

  chooseModel(modelId: string): void {
    this.modelId = modelId;
    this.startFrom(undefined);
    void this.followChoice();
  }

  /** @param adapterId of the chosen model; undefined for the model as it is */
  startFrom(adapterId: string | undefined): void {
    const adapter = adapters.find(adapterId);
    this.#awaited = undefined;
    this.#initAdapterId = adapter?.id;
    const training = runs.byId(adapter?.runId)?.training;
    recipe.goOnFrom(adapter && { peft: adapter.peft, training });
  }

  /** Everything that a person can fill in, as it outlives the page. */
  keep(): KeptForm {
    const { options, start } = recipe.keep();
    const adapterId = this.#initAdapterId;
    const isSuggested = sampleAsking.text === this.#suggested;
    return {
      modelId: this.modelId,
      datasetId: this.datasetId,
      leaveOut: this.leaveOut,
      evalSource: this.#evalSource,
      evalDatasetId: this.#evalDatasetId,
      evalShare: recipe.evalShare,
      samplePrompts: isSuggested ? undefined : sampleAsking.text,
      sampleEvery: sampleAsking.every,
      max_new_tokens: sampleAsking.maxNewTokens,
      options,
      start: this.#awaited ?? (adapterId === undefined ? undefined : { adapterId, ...start }),
    };
  }

  /** The form as it was kept, without what is on this device no more. */
  async bringBack(form: KeptForm): Promise<void> {
    this.startFrom(undefined);
    this.modelId = form.modelId;
    this.datasetId = form.datasetId;
    this.leaveOut = form.leaveOut;
    this.#evalSource = form.evalSource;
    this.#evalDatasetId = form.evalDatasetId;
    recipe.evalShare = form.evalShare;
    sampleAsking.every = form.sampleEvery;
    sampleAsking.maxNewTokens = form.max_new_tokens;
    sampleAsking.text = form.samplePrompts ?? '';
    this.#suggested = form.samplePrompts === undefined ? '' : undefined;
    recipe.bringBack(form.options);
    this.#awaited = form.start;
    await Promise.all([this.prepare(), runs.ensure()]);
    if (this.#awaited === form.start) this.#settle();
    if (this.datasetId === undefined) return;
    // One who went back to the common recipe, though another is tuned for this pair, stays with it.
    await this.followChoice({ apply: form.options !== 'common' || form.datasetId === undefined });
    await this.#suggestPrompts(this.datasetId);
  }

  #settle(): void {
    const start = this.#awaited;
    // A list that could not be read says nothing.
    if (adapters.loaded) this.#awaited = undefined;
    if (models.loaded && !models.present.some(({ id }) => id === this.modelId))
      this.modelId = undefined;
    if (datasets.loaded && (!this.dataset || isHeldBack(this.dataset))) {
      this.datasetId = undefined;
      this.leaveOut = [];
    }
    const adapter = adapters.find(start?.adapterId);
    if (!start || !adapter || adapter.modelId !== this.model?.id) return;
    this.#initAdapterId = adapter.id;
    recipe.goOnFrom({ ...start, peft: adapter.peft });
  }

  /** The form as it would be filled in to teach what a run has made something new. */
  goOnWithNewData(run: RunSummary): void {
    training.clear();
    this.modelId = run.modelId;
    this.startFrom(run.adapterId);
    if (this.datasetId === run.datasetId) this.datasetId = undefined;
    this.leaveOut = [];
  }

  setLeftOut(what: LeaveOut, on: boolean): void {
    const others = this.leaveOut.filter((one) => one !== what);
    this.leaveOut = on ? [...others, what] : others;
  }

  /** @param datasetId of one of `evalCandidates`, where the source is `own` */
  evaluateOn(source: EvalSource, datasetId = this.#evalDatasetId): void {
    this.#evalSource = source;
    const known = this.evalCandidates.some(({ id }) => id === datasetId);
    if (source === 'own') this.#evalDatasetId = known ? datasetId : this.evalCandidates[0]?.id;
  }

  chooseDataset(datasetId: string): void {
    if (this.datasetId !== datasetId) this.leaveOut = [];
    this.datasetId = datasetId;
    void this.followChoice();
    void this.#suggestPrompts(datasetId);
  }

  /** A recipe that nobody has edited follows model and data. */
  async followChoice({ apply = true } = {}): Promise<void> {
    const { model, dataset } = this;
    const found = await findRecommended(model, dataset);
    if (this.model?.id !== model?.id || this.dataset?.id !== dataset?.id) return;
    this.recommended = found;
    if (!apply || recipe.origin === 'edited' || training.active) return;
    if (found) recipe.useRecommended(found);
    else recipe.useCommon();
  }

  async start(): Promise<RunSummary> {
    const { settings, dataset } = this;
    if (!settings || !dataset) throw new Error(lang.t.train.startMissingData);
    return this.#run({
      ...settings,
      samplePrompts: sampleAsking.prompts,
      sampleEvery: sampleAsking.every > 0 ? sampleAsking.every : undefined,
      max_new_tokens: sampleAsking.maxNewTokens,
      name: lang.t.train.runName(datasets.nameOf(dataset), lang.format.dateTime(Date.now())),
    });
  }

  /**
   * Goes on with a run that has ended, on a new worker or device where those are gone: with everything as it was
   * or, where it diverged, slower from its last checkpoint.
   */
  async goOn(runId: string): Promise<RunSummary> {
    if (engine.broken) await engine.restart();
    await runs.refresh();
    const run = runs.byId(runId);
    // The list could not be read, and what went wrong will be told again.
    if (!run) throw runs.error ?? engine.deviceError ?? new Error(`${runId} is gone.`);
    const way = wayOn(run);
    const checkpoint = run.checkpoints.find(({ step }) => step === way?.step);
    if (way?.kind !== 'slower' || !checkpoint) return this.#resume(run);
    const name = lang.t.train.runName(this.#nameOfData(run), lang.format.dateTime(Date.now()));
    const words = { name, ...askingOf(run, recallRequest(run.id)) };
    return this.#run(slowerRequest(run, checkpoint, words));
  }

  /** From the last checkpoint, with everything as it was. */
  #resume(run: RunSummary): Promise<RunSummary> {
    const held = heldBackOf(datasets.items, datasets.byId(run.datasetId));
    return this.#run({
      // Without a memory of it, what a new run on this data would take.
      evalShare: held ? 0 : recipe.evalShare,
      evalDatasetId: held?.id,
      ...recallRequest(run.id),
      ...askingOf(run, recallRequest(run.id)),
      modelId: run.modelId,
      datasetId: run.datasetId,
      peft: run.peft,
      training: run.training,
      resumeRunId: run.id,
      name: run.name,
    });
  }

  #nameOfData(run: RunSummary): string {
    const dataset = datasets.byId(run.datasetId);
    return dataset ? datasets.nameOf(dataset) : (run.provenance?.dataset.name ?? run.name);
  }

  async #run(request: TrainRequest): Promise<RunSummary> {
    const run = await training.start(request, (signal) => {
      signal.addEventListener('abort', () => models.cancel(), { once: true });
      return models.open(request.modelId).catch((error: unknown) => {
        throw modelMissing(error, request);
      });
    });
    if (run.adapterId) {
      chat.modelId = run.modelId;
      chat.adapterId = run.adapterId;
      chat.save();
    }
    return run;
  }

  /** Questions to ask while it learns, unless the person has written some. */
  async #suggestPrompts(datasetId: string): Promise<void> {
    if (sampleAsking.text !== this.#suggested) return;
    try {
      const source = this.heldBack ?? this.dataset;
      const questions = source ? await datasets.pickQuestions(source, PROMPTS) : [];
      if (this.datasetId !== datasetId) return;
      const lines = new Set(questions.map((text) => text.replaceAll('\n', ' ')));
      this.#suggested = [...lines].join('\n');
      sampleAsking.text = this.#suggested;
    } catch {
      // The rows browser says what is wrong with the data.
    }
  }
}

/** The same error or, where an unfinished run's model is gone, its name and what to do. */
function modelMissing(error: unknown, { modelId, resumeRunId }: TrainRequest): unknown {
  const { code, details } = error as { code?: string; details?: { id?: string } };
  if (resumeRunId === undefined || code !== 'not-found' || details?.id !== modelId) return error;
  const name = runs.byId(resumeRunId)?.provenance?.model.name ?? modelId;
  return new InkstoneError(
    'model-gone',
    `${name}, which this run trains, is no longer on this device. Import the same files again, then go on.`,
    { details: { name } },
  );
}

export const trainForm = new TrainForm();
