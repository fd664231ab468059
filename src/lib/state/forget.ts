/** Deletes everything that the person has put in or made, and the page's own settings. */
import { adapters } from './adapters.svelte';
import { chat } from './chat.svelte';
import { datasets } from './datasets.svelte';
import { engine } from './engine.svelte';
import { evaluations } from './evaluation.svelte';
import { UNTOUCHED_FORM } from './kept-form';
import { clearLocal } from './local-store';
import { models } from './models.svelte';
import { runs } from './runs.svelte';
import { trainForm } from './train-form.svelte';
import { training } from './training.svelte';

export async function deleteEverything(): Promise<void> {
  await engine.call((api) => api.deleteEverything());
  chat.clear();
  training.clear();
  datasets.forgetIntakes();
  models.current = undefined;
  clearLocal();
  await Promise.all([models, datasets, runs, adapters, evaluations].map((list) => list.refresh()));
  await trainForm.bringBack(UNTOUCHED_FORM);
  await engine.refreshDevice();
}
