/** What the Train page has chosen: model, data, evaluation data. Turns it into a request. */
import type { RunSummary, TrainRequest } from '../rpc/engine-api';
import { chat } from './chat.svelte';
import { datasets } from './datasets.svelte';
import { lang } from './lang.svelte';
import { models } from './models.svelte';
import { recipe } from './recipe.svelte';
import { findSample, heldBackOf, sampleLanguageOf } from './samples';
import { asQuestion } from './tour.svelte';
import { training } from './training.svelte';

const PROMPTS = 2;

class TrainForm {
  modelId = $state<string>();
  datasetId = $state<string>();
  useHeldBack = $state(true);
  #promptsFrom: string | undefined;

  readonly model = $derived(models.byId(this.modelId) ?? models.preferred);
  readonly dataset = $derived(datasets.byId(this.datasetId));
  /** Questions that come with the chosen sample. */
  readonly heldBack = $derived(heldBackOf(datasets.items, this.dataset));

  /** Reads the lists and starts from the sample in the person's language. */
  async prepare(): Promise<void> {
    await Promise.all([models.ensure(), datasets.ensure()]);
    if (this.dataset) return;
    const sample = findSample(datasets.items, sampleLanguageOf(lang.locale), 'train');
    if (sample) this.chooseDataset(sample.id);
  }

  chooseDataset(datasetId: string): void {
    this.datasetId = datasetId;
    void this.#followDataset(datasetId);
  }

  async start(): Promise<RunSummary> {
    const { model, dataset } = this;
    if (!model || !dataset) throw new Error(lang.t.train.startMissingData);
    const held = this.useHeldBack ? this.heldBack : undefined;
    return this.#run({
      modelId: model.id,
      datasetId: dataset.id,
      evalShare: held ? 0 : recipe.evalShare,
      evalDatasetId: held?.id,
      lora: $state.snapshot(recipe.lora) as TrainRequest['lora'],
      training: $state.snapshot(recipe.training),
      samplePrompts: recipe.prompts,
      name: lang.t.train.runName(dataset.name, lang.format.dateTime(Date.now())),
    });
  }

  /** Goes on from the last checkpoint, with everything as it was. */
  resume(run: RunSummary): Promise<RunSummary> {
    return this.#run({
      modelId: run.modelId,
      datasetId: run.datasetId,
      evalShare: recipe.evalShare,
      lora: run.lora,
      training: run.training,
      samplePrompts: [...new Set(run.samples.map((sample) => sample.prompt))],
      resumeRunId: run.id,
      name: run.name,
    });
  }

  async #run(request: TrainRequest): Promise<RunSummary> {
    await models.open(request.modelId);
    const run = await training.start(request);
    if (run.adapterId) {
      chat.modelId = run.modelId;
      chat.adapterId = run.adapterId;
      chat.save();
    }
    return run;
  }

  /** Questions to ask while it learns, and the recipe that was tuned for this data. */
  async #followDataset(datasetId: string): Promise<void> {
    const source = this.heldBack?.id ?? datasetId;
    if (this.model) void recipe.lookUp(this.model.id, datasetId);
    if (recipe.samplePrompts !== '' && this.#promptsFrom === undefined) return;
    try {
      const rows = await datasets.readRows(source, 0, PROMPTS);
      if (this.datasetId !== datasetId) return;
      this.#promptsFrom = source;
      recipe.samplePrompts = rows.map((row) => asQuestion(row).replaceAll('\n', ' ')).join('\n');
    } catch {
      // The rows browser says what is wrong with the data.
    }
  }
}

export const trainForm = new TrainForm();
