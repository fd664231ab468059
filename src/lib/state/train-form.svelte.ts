/** What the Train page has chosen: model, where to start, data, evaluation data. Turns it into a request. */
import type {
  InspectRequest,
  LeaveOut,
  RunSummary,
  TrainRequest,
  TrainSettings,
} from '../rpc/engine-api';
import { adapters } from './adapters.svelte';
import { chat } from './chat.svelte';
import { datasets } from './datasets.svelte';
import { lang } from './lang.svelte';
import { models } from './models.svelte';
import { findRecommended, recipe, type RecipeParts } from './recipe.svelte';
import { isAllowed } from './recipe-limits';
import { recallRequest } from './remembered-requests';
import { runs } from './runs.svelte';
import { heldBackOf } from './samples';
import { training } from './training.svelte';

const PROMPTS = 2;

class TrainForm {
  modelId = $state<string>();
  datasetId = $state<string>();
  useHeldBack = $state(true);
  /** Of the chosen data; another choice begins with all of it again. */
  leaveOut = $state.raw<readonly LeaveOut[]>([]);
  #initAdapterId = $state<string>();
  #suggested = '';

  readonly model = $derived(models.byId(this.modelId) ?? models.preferred);
  readonly dataset = $derived(datasets.byId(this.datasetId));
  /** Questions that come with the chosen sample. */
  readonly heldBack = $derived(heldBackOf(datasets.items, this.dataset));

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
    const { model, dataset } = this;
    if (!model || !dataset) return undefined;
    const held = this.useHeldBack ? this.heldBack : undefined;
    return {
      modelId: model.id,
      datasetId: dataset.id,
      evalShare: held ? 0 : recipe.evalShare,
      evalDatasetId: held?.id,
      leaveOut: this.leaveOut.length > 0 ? this.leaveOut : undefined,
      initAdapterId: this.startAdapter?.id,
      peft: recipe.peft,
      training: recipe.training,
    };
  });
  /** Choices that do not go together, with what would mend them. */
  readonly conflict = $derived(
    recipe.conflict((this.useHeldBack && this.heldBack !== undefined) || recipe.evalShare > 0),
  );
  /** What is asked of the data; undefined while model or data are missing, or the length is being typed. */
  readonly inspectRequest: InspectRequest | undefined = $derived.by(() => {
    if (!this.settings) return undefined;
    const { modelId, datasetId, evalShare, evalDatasetId, leaveOut, training } = this.settings;
    const { max_length: maxLength, train_on_prompt: trainOnPrompt, seed } = training;
    if (!isAllowed('max_length', maxLength) || !isAllowed('seed', seed)) return undefined;
    return {
      ...{ modelId, datasetId, evalShare, evalDatasetId, leaveOut },
      ...{ maxLength, trainOnPrompt, seed },
    };
  });
  /** Opening a model to look at it is cheap: it is the bundled one, or open already. */
  readonly isCheap = $derived(
    this.model !== undefined &&
      (this.model.origin === 'bundled' || this.model.id === models.current?.id),
  );

  /** The model that the person agreed to open to look at what a run would take. */
  #agreedTo = $state<string>();
  readonly mayOpen = $derived(this.isCheap || this.#agreedTo === this.model?.id);

  agreeToOpen(): void {
    this.#agreedTo = this.model?.id;
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
    this.#initAdapterId = adapter?.id;
    const training = runs.byId(adapter?.runId)?.training;
    recipe.goOnFrom(adapter && { peft: adapter.peft, training });
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

  chooseDataset(datasetId: string): void {
    if (this.datasetId !== datasetId) this.leaveOut = [];
    this.datasetId = datasetId;
    void this.followChoice();
    void this.#suggestPrompts(datasetId);
  }

  /** A recipe that nobody has edited follows model and data. */
  async followChoice(): Promise<void> {
    const { model, dataset } = this;
    const found = await findRecommended(model, dataset);
    if (this.model?.id !== model?.id || this.dataset?.id !== dataset?.id) return;
    this.recommended = found;
    if (recipe.origin === 'edited' || training.active) return;
    if (found) recipe.useRecommended(found);
    else recipe.useCommon();
  }

  async start(): Promise<RunSummary> {
    const { settings, dataset } = this;
    if (!settings || !dataset) throw new Error(lang.t.train.startMissingData);
    return this.#run({
      ...settings,
      samplePrompts: recipe.prompts,
      name: lang.t.train.runName(datasets.nameOf(dataset), lang.format.dateTime(Date.now())),
    });
  }

  /** Goes on from the last checkpoint, with everything as it was. */
  resume(run: RunSummary): Promise<RunSummary> {
    const held = heldBackOf(datasets.items, datasets.byId(run.datasetId));
    return this.#run({
      // Without a memory of it, what a new run on this data would take.
      evalShare: held ? 0 : recipe.evalShare,
      evalDatasetId: held?.id,
      samplePrompts: [...new Set(run.samples.map((sample) => sample.prompt))],
      ...recallRequest(run.id),
      modelId: run.modelId,
      datasetId: run.datasetId,
      peft: run.peft,
      training: run.training,
      resumeRunId: run.id,
      name: run.name,
    });
  }

  async #run(request: TrainRequest): Promise<RunSummary> {
    const run = await training.start(request, (signal) => {
      signal.addEventListener('abort', () => models.cancel(), { once: true });
      return models.open(request.modelId);
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
    if (recipe.samplePrompts !== this.#suggested) return;
    try {
      const source = this.heldBack ?? this.dataset;
      const questions = source ? await datasets.pickQuestions(source, PROMPTS) : [];
      if (this.datasetId !== datasetId) return;
      const lines = new Set(questions.map((text) => text.replaceAll('\n', ' ')));
      this.#suggested = [...lines].join('\n');
      recipe.samplePrompts = this.#suggested;
    } catch {
      // The rows browser says what is wrong with the data.
    }
  }
}

export const trainForm = new TrainForm();
