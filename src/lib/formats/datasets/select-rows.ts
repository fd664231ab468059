/**
 * Which rows of a data set are learned from and which are held back, with what the person leaves out. The
 * same for the same rows and settings on every machine; indices, so that a row keeps its number.
 */
import { findDuplicates } from './duplicates';
import { hasEmptyAnswer, questionKey } from './question-key';
import { splitIndices } from './split-rows';
import type { DatasetRow } from './types';

/**
 * - `duplicates`: every row that says what an earlier one says
 * - `empty`: rows with an empty answer
 * - `leaked`: rows held back whose question is also learned from
 */
export type RowsLeftOut = 'duplicates' | 'empty' | 'leaked';

export interface SelectRowsOptions {
  /** Share held back; ignored where `evalRows` are given. */
  readonly evalShare: number;
  readonly seed: number;
  /** A data set of its own to evaluate on. */
  readonly evalRows?: readonly DatasetRow[];
  readonly leaveOut?: readonly RowsLeftOut[];
}

export interface SelectedRows {
  /** Of the data set, ascending. */
  readonly train: readonly number[];
  /** Of `evalRows` where they are given, of the data set otherwise; ascending. */
  readonly evaluation: readonly number[];
}

/** `duplicates` and `empty` go before the split, `leaked` after it; `evalRows` lose only what leaked. */
export function selectRows(
  rows: readonly DatasetRow[],
  { evalShare, seed, evalRows, leaveOut = [] }: SelectRowsOptions,
): SelectedRows {
  const gone = new Set<number>();
  if (leaveOut.includes('duplicates'))
    for (const [, ...later] of findDuplicates(rows)) for (const index of later) gone.add(index);
  if (leaveOut.includes('empty'))
    rows.forEach((row, index) => hasEmptyAnswer(row) && gone.add(index));
  const kept = rows.flatMap((_, index) => (gone.has(index) ? [] : [index]));
  const selected = evalRows
    ? { train: kept, evaluation: evalRows.map((_, index) => index) }
    : splitKept(rows, kept, { evalShare, seed });
  if (!leaveOut.includes('leaked')) return selected;
  const leaked = new Set(findLeaked(rows, selected, evalRows).map(({ row }) => row));
  return { ...selected, evaluation: selected.evaluation.filter((index) => !leaked.has(index)) };
}

/** Rows held back that are also learned from, each with the first row that asks the same. */
export function findLeaked(
  rows: readonly DatasetRow[],
  { train, evaluation }: SelectedRows,
  evalRows: readonly DatasetRow[] = rows,
): { row: number; like: number }[] {
  if (evaluation.length === 0) return [];
  const first = new Map<string, number>();
  for (const index of train) {
    const key = questionKey(rows[index]);
    if (!first.has(key)) first.set(key, index);
  }
  return evaluation.flatMap((row) => {
    const like = first.get(questionKey(evalRows[row]));
    return like === undefined ? [] : [{ row, like }];
  });
}

function splitKept(
  rows: readonly DatasetRow[],
  kept: readonly number[],
  options: { readonly evalShare: number; readonly seed: number },
) {
  if (options.evalShare === 0) return { train: kept, evaluation: [] };
  const split = splitIndices(
    kept.map((index) => rows[index]),
    options,
  );
  const back = (indices: readonly number[]) => indices.map((index) => kept[index]);
  return { train: back(split.train), evaluation: back(split.evaluation) };
}
