/**
 * Splits rows for training and evaluation. The same rows, share and seed give the same split on every
 * machine: the project's own generator (xoshiro128**) drives a Fisher-Yates shuffle of the groups.
 */
import { Xoshiro128 } from '../../config/random';
import { FormatError } from '../errors';
import { groupRows } from './duplicates';
import type { DatasetRow } from './types';

interface Split<Item> {
  /** Both in the order of the dataset. */
  readonly train: readonly Item[];
  readonly evaluation: readonly Item[];
}
export type RowSplit = Split<DatasetRow>;

/**
 * Equal rows always land on one side, so the evaluation set may be some rows smaller than its share;
 * it is never larger. Where a share above 0 rounds to nothing, one row is tried; training keeps at
 * least one group.
 */
export function splitIndices(
  rows: readonly DatasetRow[],
  { evalShare, seed }: { readonly evalShare: number; readonly seed: number },
): Split<number> {
  if (!(evalShare >= 0 && evalShare < 1)) {
    throw new FormatError(
      'invalid-value',
      `evalShare is ${evalShare}; a share from 0 up to, but not including, 1 is allowed.`,
    );
  }
  if (!Number.isInteger(seed)) {
    throw new FormatError('invalid-value', `seed is ${seed}; an integer is allowed.`);
  }
  const groups = groupRows(rows);
  const random = new Xoshiro128(seed);
  for (let i = groups.length - 1; i > 0; i--) {
    const j = random.nextBelow(i + 1);
    [groups[i], groups[j]] = [groups[j], groups[i]];
  }
  const target = evalShare === 0 ? 0 : Math.max(1, Math.round(evalShare * rows.length));
  const chosen = new Set<number>();
  for (const group of groups.slice(0, -1)) {
    if (chosen.size + group.length <= target) for (const i of group) chosen.add(i);
  }
  const side = (wanted: boolean) => rows.flatMap((_, i) => (chosen.has(i) === wanted ? [i] : []));
  return { train: side(false), evaluation: side(true) };
}

/** As `splitIndices`, with the rows themselves. */
export function splitRows(
  rows: readonly DatasetRow[],
  options: { readonly evalShare: number; readonly seed: number },
): RowSplit {
  const { train, evaluation } = splitIndices(rows, options);
  return { train: train.map((i) => rows[i]), evaluation: evaluation.map((i) => rows[i]) };
}
