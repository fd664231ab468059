/** Which rows a run learns from, and which are held back. */
import { selectRows, type DatasetRow, type RowsLeftOut, type SelectedRows } from '../formats';
import type { LeaveOut, TrainSettings } from '../rpc/engine-api';
import type { DatasetLibrary } from './dataset-library';

export interface RunRows {
  readonly trainRows: readonly DatasetRow[];
  readonly evalRows: readonly DatasetRow[];
}

export type RowChoice = Pick<
  TrainSettings,
  'datasetId' | 'evalShare' | 'evalDatasetId' | 'leaveOut'
> & { readonly seed: number };

export interface ChosenRows {
  readonly rows: readonly DatasetRow[];
  /** Undefined where the rows held back are of the same data set. */
  readonly evalRows: readonly DatasetRow[] | undefined;
  readonly selected: SelectedRows;
}

/** The same rows for the same request, whenever it is asked. */
export async function rowsOfRun(
  datasets: DatasetLibrary,
  request: TrainSettings,
): Promise<RunRows> {
  const choice = { ...request, seed: request.training.seed };
  const { rows, evalRows = rows, selected } = await chooseRows(datasets, choice);
  return {
    trainRows: selected.train.map((index) => rows[index]),
    evalRows: selected.evaluation.map((index) => evalRows[index]),
  };
}

/** Both data sets whole, and which of their rows a run has. */
export async function chooseRows(
  datasets: DatasetLibrary,
  { datasetId, evalDatasetId, evalShare, leaveOut = [], seed }: RowChoice,
): Promise<ChosenRows> {
  const rows = await datasets.rows(datasetId);
  const evalRows = evalDatasetId ? await datasets.rows(evalDatasetId) : undefined;
  const selected = selectRows(rows, {
    ...{ evalShare, seed, evalRows },
    leaveOut: leaveOut.filter(isOfRows),
  });
  return { rows, evalRows, selected };
}

/** What a length cuts shows only in tokens. */
const isOfRows = (what: LeaveOut): what is RowsLeftOut => what !== 'cut';
