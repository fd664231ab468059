/** What an adapter that is written or taken away here says of its base, so that Python finds it. */
import { parseJsonObject } from '../config';
import { findInCatalogue } from '../hub';
import { ADAPTER_CONFIG_FILE, type BaseModel } from '../peft';
import type { AdapterSummary, ModelSummary, RunSummary } from '../rpc/engine-api';

type NamedModel = Pick<ModelSummary, 'id' | 'name' | 'revision'>;

/** Of a model that the hub has. */
export const hubRepoOf = ({ id }: Pick<ModelSummary, 'id'>): string | undefined =>
  findInCatalogue(id)?.repo;

/**
 * The hub's name and the commit that was downloaded, or else the name that the model has here. `_name_or_path` in a
 * folder's config.json is no name of the folder's: in most published ones it is what the model was itself tuned from.
 */
export function baseModelOf(model: NamedModel): BaseModel {
  const nameOrPath = hubRepoOf(model);
  if (nameOrPath === undefined) return { nameOrPath: model.name };
  return { nameOrPath, revision: model.revision };
}

export interface TakenAdapter {
  readonly adapter: AdapterSummary;
  /** The run that made it, where it is still here. */
  readonly run: RunSummary | undefined;
  readonly model: NamedModel;
  readonly configJson: string;
}

/**
 * Older versions wrote the name that the page shows. @returns undefined where the config stays as it is: somebody
 * else's word, or with the commit that a run was on
 */
export function baseForAdapter({
  adapter,
  run,
  model,
  configJson,
}: TakenAdapter): BaseModel | undefined {
  const repo = hubRepoOf(model);
  if (repo === undefined) return undefined;
  const { base_model_name_or_path: written } = parseJsonObject(configJson, ADAPTER_CONFIG_FILE);
  const isNameless = written === undefined || written === null || written === model.name;
  if (adapter.origin !== 'trained' && !isNameless) return undefined;
  if (written === repo) return undefined;
  return { nameOrPath: repo, revision: run?.provenance?.model.revision };
}
