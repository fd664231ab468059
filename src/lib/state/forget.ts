/** Deletes everything that the person has put in or made, and the page's own settings. */
import { adapters } from './adapters.svelte';
import { chat } from './chat.svelte';
import { datasets } from './datasets.svelte';
import { engine } from './engine.svelte';
import { ifOffered } from './engine-extras';
import { evaluations } from './evaluation.svelte';
import { clearLocal } from './local-store';
import { models } from './models.svelte';
import { runs } from './runs.svelte';
import { training } from './training.svelte';

export async function deleteEverything(): Promise<void> {
  const lists = [models, datasets, runs, adapters, evaluations];
  const offered = await engine.call((api) => ifOffered(api.deleteEverything().then(() => true)));
  if (!offered) {
    await Promise.all(lists.map((list) => list.refresh()));
    for (const run of runs.items) await engine.call((api) => api.deleteRun({ runId: run.id }));
    await adapters.refresh();
    for (const adapter of adapters.items)
      await engine.call((api) => api.deleteAdapter({ adapterId: adapter.id }));
    for (const dataset of datasets.items)
      if (dataset.origin === 'imported')
        await engine.call((api) => api.deleteDataset({ datasetId: dataset.id }));
    for (const model of models.items)
      if (model.origin !== 'bundled' && model.present)
        await engine.call((api) => api.deleteModel({ modelId: model.id }));
  }
  chat.clear();
  training.clear();
  datasets.forgetReport();
  models.current = undefined;
  clearLocal();
  await Promise.all(lists.map((list) => list.refresh()));
  await engine.refreshDevice();
}
