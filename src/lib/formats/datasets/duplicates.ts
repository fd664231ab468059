/**
 * Rows that say the same thing. Two rows are the same when kind and every field are equal after
 * Unicode NFC and with runs of white space taken as one blank; token rows when all ids are equal.
 */
import type { DatasetRow } from './types';

/** Text that is equal for equal rows and only for them. */
export function rowKey(row: DatasetRow): string {
  switch (row.kind) {
    case 'instruction':
      return key(row.kind, row.instruction, row.input, row.output);
    case 'completion':
      return key(row.kind, row.prompt, row.completion);
    case 'chat':
      return key(
        row.kind,
        ...row.messages.flatMap(({ role, content, noLoss = '' }) => [role, content, noLoss]),
      );
    case 'text':
      return key(row.kind, row.text);
    case 'tokens':
      return key(row.kind, row.inputIds.join(' '), row.labels.join(' '));
  }
}

/** Groups of two or more equal rows, as indices in ascending order. */
export function findDuplicates(rows: readonly DatasetRow[]): number[][] {
  return groupRows(rows).filter((group) => group.length > 1);
}

/** Indices of the rows of `evaluation` that also occur in `train`. */
export function findOverlap(
  train: readonly DatasetRow[],
  evaluation: readonly DatasetRow[],
): number[] {
  const seen = new Set(train.map(rowKey));
  return evaluation.flatMap((row, i) => (seen.has(rowKey(row)) ? [i] : []));
}

/** All rows as groups of equal ones, in the order of each group's first row. */
export function groupRows(rows: readonly DatasetRow[]): number[][] {
  const groups = new Map<string, number[]>();
  rows.forEach((row, i) => {
    const id = rowKey(row);
    const group = groups.get(id);
    if (group) group.push(i);
    else groups.set(id, [i]);
  });
  return [...groups.values()];
}

/** As a JSON list, so that no field can imitate the border between two. */
const key = (...fields: string[]): string =>
  JSON.stringify(fields.map((field) => field.normalize('NFC').trim().replace(/\s+/g, ' ')));
