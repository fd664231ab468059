/** The recipe that the engine has in store for a bundled model and a bundled sample, laid over the common one. */
import { COMMON_RECIPE, type LoraConfig, type TrainingArguments } from '../config';
import type { DatasetSummary, ModelSummary } from '../rpc/engine-api';
import { engine } from './engine.svelte';

export interface RecipeParts {
  lora: LoraConfig;
  training: TrainingArguments;
}

/** What was tuned for a bundled sample on the bundled model; undefined for any other pair. */
export async function findRecommended(
  model: Pick<ModelSummary, 'id' | 'origin'> | undefined,
  dataset: Pick<DatasetSummary, 'id' | 'origin'> | undefined,
): Promise<RecipeParts | undefined> {
  if (model?.origin !== 'bundled' || dataset?.origin !== 'bundled') return undefined;
  try {
    const found = await engine.call((api) =>
      api.recommendRecipe({ modelId: model.id, datasetId: dataset.id }),
    );
    return (
      found && {
        lora: { ...COMMON_RECIPE.lora, ...found.lora },
        training: { ...COMMON_RECIPE.training, ...found.training },
      }
    );
  } catch {
    // Advice is not needed: the common recipe is there.
    return undefined;
  }
}
