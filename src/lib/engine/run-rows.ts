/** Which rows a run learns from, and which are held back. */
import { splitRows, type DatasetRow } from '../formats';
import type { TrainSettings } from '../rpc/engine-api';
import type { DatasetLibrary } from './dataset-library';

export interface RunRows {
  readonly trainRows: readonly DatasetRow[];
  readonly evalRows: readonly DatasetRow[];
}

/** The same rows for the same request, whenever it is asked. */
export async function rowsOfRun(
  datasets: DatasetLibrary,
  request: TrainSettings,
): Promise<RunRows> {
  const rows = await datasets.rows(request.datasetId);
  if (request.evalDatasetId)
    return { trainRows: rows, evalRows: await datasets.rows(request.evalDatasetId) };
  if (request.evalShare === 0) return { trainRows: rows, evalRows: [] };
  const { train, evaluation } = splitRows(rows, {
    evalShare: request.evalShare,
    seed: request.training.seed,
  });
  return { trainRows: train, evalRows: evaluation };
}
