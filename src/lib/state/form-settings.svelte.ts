/**
 * The Train page's settings as a whole: saved to a file and loaded from one, taken from an earlier run, set back to
 * what the page begins with; what came of it, and the way back until the form is changed again.
 */
import { checkRecipe, parseRecipeFile, writeRecipeFile, type UnusedSetting } from '../config';
import type { RunSummary } from '../rpc/engine-api';
import { adapters } from './adapters.svelte';
import { datasets } from './datasets.svelte';
import { UNTOUCHED_FORM, type KeptForm } from './kept-form';
import { models } from './models.svelte';
import {
  readSettingsFile,
  settingsOfRun,
  type NamedThing,
  type ReadSettings,
  type RunSurroundings,
} from './read-settings';
import { recipe } from './recipe.svelte';
import { recallRequest } from './remembered-requests';
import { heldBackOf, isHeldBack } from './samples';
import { saveText } from './save-file';
import { trainForm } from './train-form.svelte';
import { training } from './training.svelte';

export interface Missing {
  what: 'model' | 'dataset' | 'evalDataset' | 'adapter';
  name: string;
}

interface Filled {
  missing: readonly Missing[];
  /** The method in them gave way to that of the adapter to start from. */
  methodStays: boolean;
}

export type Outcome =
  | { kind: 'saved'; fileName: string }
  | ({
      kind: 'loaded';
      fileName: string;
      says: 'all' | 'method' | 'training';
      unused: readonly UnusedSetting[];
    } & Filled)
  | ({ kind: 'run'; name: string } & Filled)
  | { kind: 'afresh'; to: 'recommended' | 'common' | 'adapter' }
  | { kind: 'undone' };

class FormSettings {
  outcome = $state.raw<Outcome>();
  failure = $state.raw<{ of: 'save' | 'fill'; error: unknown }>();
  /** The form before it was filled in, and right after. */
  #filled = $state.raw<{ before: KeptForm; after: string }>();

  /** What was typed since would be lost. */
  readonly canUndo = $derived(
    this.#filled !== undefined && this.#filled.after === JSON.stringify(trainForm.keep()),
  );
  /** Nothing to set back. */
  readonly isAfresh = $derived.by(() => {
    const form = trainForm.keep();
    return (
      form.options === (trainForm.recommended ? 'recommended' : 'common') &&
      form.start === undefined &&
      form.samplePrompts === undefined &&
      form.evalSource === UNTOUCHED_FORM.evalSource &&
      form.evalShare === UNTOUCHED_FORM.evalShare &&
      form.sampleEvery === UNTOUCHED_FORM.sampleEvery &&
      form.max_new_tokens === UNTOUCHED_FORM.max_new_tokens
    );
  });

  /** Writes what `train --config` reads. */
  save(): void {
    this.clear();
    const { peft, method } = recipe;
    const name = (trainForm.model?.name ?? 'inkstone').replace(/[^\p{L}\p{N}._-]+/gu, '-');
    const fileName = `${name}-${method}.config.json`;
    const content = writeRecipeFile(peft, recipe.training);
    try {
      // What the command line would refuse is no use to anybody.
      checkRecipe(peft, parseRecipeFile(content, fileName).args);
    } catch (error) {
      this.failure = { of: 'save', error };
      return;
    }
    saveText(content, fileName, 'application/json');
    this.outcome = { kind: 'saved', fileName };
  }

  async load(file: File): Promise<void> {
    await this.#attempt(async () => {
      const settings = await readSettingsFile(file);
      const { peft, training: args, unused } = settings;
      const says = peft && args ? 'all' : peft ? 'method' : 'training';
      const filled = await this.#fill(settings);
      return { kind: 'loaded', fileName: file.name, says, unused, ...filled };
    });
  }

  /** As it was started, as far as what it had is still here. */
  async useRun(run: RunSummary): Promise<void> {
    await this.#attempt(async () => {
      const settings = settingsOfRun(run, recallRequest(run.id));
      training.clear();
      return { kind: 'run', name: run.name, ...(await this.#fill(settings)) };
    });
  }

  async startAfresh(): Promise<void> {
    await this.#attempt(async () => {
      const { modelId, datasetId, leaveOut } = trainForm.keep();
      const adapter = trainForm.startAdapter;
      const kept = { modelId, datasetId, leaveOut };
      await trainForm.bringBack({ ...UNTOUCHED_FORM, ...kept, options: 'recommended' });
      if (adapter) trainForm.startFrom(adapter.id);
      const { origin } = recipe;
      return { kind: 'afresh', to: adapter || origin === 'edited' ? 'adapter' : origin };
    });
  }

  async undo(): Promise<void> {
    const before = this.#filled?.before;
    this.clear();
    if (!before) return;
    await trainForm.bringBack(before);
    this.outcome = { kind: 'undone' };
  }

  clear(): void {
    this.outcome = this.failure = this.#filled = undefined;
  }

  async #attempt(change: () => Promise<Outcome>): Promise<void> {
    this.clear();
    const before = trainForm.keep();
    try {
      const outcome = await change();
      // A run that started meanwhile took the form as it is: nothing of it to tell, nor to undo.
      if (training.active) return;
      this.outcome = outcome;
      this.#filled = { before, after: JSON.stringify(trainForm.keep()) };
    } catch (error) {
      this.failure = { of: 'fill', error };
    }
  }

  async #fill({ peft, training: args, splitIsOwn, evalShare, run }: ReadSettings): Promise<Filled> {
    const missing = run ? await this.#surround(run) : [];
    if (evalShare !== undefined) recipe.evalShare = evalShare;
    if (evalShare) trainForm.evaluateOn('share');
    const methodStays = peft !== undefined && recipe.locked !== undefined && !run?.startedFrom;
    recipe.load({ peft, training: args, splitIsOwn });
    return { missing, methodStays };
  }

  /** Model, data and what is held back, as far as they are here. @returns what is not */
  async #surround(run: RunSurroundings): Promise<Missing[]> {
    await trainForm.prepare();
    const missing: Missing[] = [];
    const look = (what: Missing['what'], { id, name = id }: NamedThing, found: unknown) => {
      if (!found) missing.push({ what, name });
    };
    const before = trainForm.keep();
    const model = findModel(run.model);
    look('model', run.model, model);
    const dataset = findDataset(run.dataset);
    look('dataset', run.dataset, dataset);
    const held = run.evalDataset && findEvalDataset(run.evalDataset, dataset?.id);
    if (run.evalDataset) look('evalDataset', run.evalDataset, held);
    const adapter = adapters.byId(run.startedFrom?.adapterId);
    const start = adapter && adapter.modelId === (model?.id ?? trainForm.model?.id);
    if (run.startedFrom) look('adapter', { ...run.startedFrom, id: '' }, start);
    await trainForm.bringBack({
      modelId: model?.id ?? before.modelId,
      datasetId: dataset?.id ?? before.datasetId,
      leaveOut: dataset ? run.leaveOut : before.leaveOut,
      evalSource: held?.source ?? 'share',
      evalDatasetId: held?.source === 'own' ? held.id : undefined,
      evalShare: run.evalDataset ? UNTOUCHED_FORM.evalShare : run.evalShare,
      samplePrompts: run.samplePrompts.map((prompt) => prompt.replaceAll('\n', ' ')).join('\n'),
      sampleEvery: run.sampleEvery,
      max_new_tokens: run.max_new_tokens,
      options: before.options,
    });
    if (start) trainForm.startFrom(adapter.id);
    return missing;
  }
}

/** By its id, or, where it came from another device, by its weights. */
const findModel = ({ id, sha256 }: NamedThing) =>
  models.present.find((model) => model.id === id) ??
  models.present.find(({ weightsHash }) => weightsHash !== undefined && weightsHash === sha256);

/** By its id, or, where it came from another device, by its rows. */
const findDataset = ({ id, sha256 }: NamedThing) => {
  const found = datasets.byId(id) ?? datasets.items.find(({ hash }) => hash === sha256);
  return found && !isHeldBack(found) ? found : undefined;
};

/** What a form can hold back beside this data. */
function findEvalDataset(of: NamedThing, datasetId: string | undefined) {
  const bundled = heldBackOf(datasets.items, datasets.byId(datasetId));
  if (bundled?.id === of.id) return { source: 'bundled' as const, id: of.id };
  const own = findDataset(of);
  return own?.origin === 'imported' && own.id !== datasetId
    ? { source: 'own' as const, id: own.id }
    : undefined;
}

export const formSettings = new FormSettings();
