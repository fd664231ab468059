/**
 * What a run that goes on must find again to end in the bytes of one that was never interrupted: the rows that it
 * learned from and the model that it trains. Data that was deleted and imported again counts: its content is its name.
 */
import type { ModelSummary, RunDataset, RunSummary } from '../rpc/engine-api';
import type { DatasetLibrary } from './dataset-library';
import { EngineError } from './errors';

export type DataOfRun = Pick<RunSummary, 'datasetId' | 'evalDatasetId'>;
type Datasets = Pick<DatasetLibrary, 'get' | 'listImported'>;
type Before = DataOfRun & Pick<RunSummary, 'provenance'>;

/**
 * Where the run's rows lie now.
 * @throws EngineError `data-gone`, `data-changed`
 */
export async function dataOfRun(
  datasets: Datasets,
  { datasetId, evalDatasetId, provenance }: Before,
): Promise<DataOfRun> {
  return {
    datasetId: await findData(datasets, datasetId, provenance?.dataset),
    ...(evalDatasetId && {
      evalDatasetId: await findData(datasets, evalDatasetId, provenance?.evalDataset),
    }),
  };
}

/** @param begunWith undefined where an older version did not write it down: then the id has to do */
async function findData(
  datasets: Datasets,
  id: string,
  begunWith: RunDataset | undefined,
): Promise<string> {
  const own = await datasets.get(id).catch(unlessNotFound);
  if (own && (!begunWith || own.hash === begunWith.hash)) return id;
  const same = (await datasets.listImported()).find(({ hash }) => hash === begunWith?.hash);
  if (same) return same.id;
  const name = begunWith?.name ?? id;
  if (own)
    throw new EngineError(
      'data-changed',
      `The rows of ${name} are no longer those that this run began with, so it cannot go on as the same run. Start a further round from its last checkpoint instead.`,
      { details: { name } },
    );
  throw new EngineError(
    'data-gone',
    `${name}, which this run learns from, is no longer on this device. Import the same file again, then go on.`,
    { details: { name } },
  );
}

/** @throws EngineError `model-changed` */
export function refuseOtherModel(model: ModelSummary, { provenance }: Before): void {
  const begunWith = provenance?.model;
  const differs = (key: 'revision' | 'weightsHash') =>
    begunWith?.[key] !== undefined && model[key] !== undefined && begunWith[key] !== model[key];
  if (!begunWith || !(differs('revision') || differs('weightsHash'))) return;
  const { name } = begunWith;
  throw new EngineError(
    'model-changed',
    `${name} on this device is no longer what this run began with, so it cannot go on as the same run. Start a new one.`,
    { details: { name } },
  );
}

function unlessNotFound(error: unknown): undefined {
  if (!(error instanceof EngineError && error.code === 'not-found')) throw error;
}
