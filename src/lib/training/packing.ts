/**
 * Several short rows in one: TRL's packing strategy `bfd` (best fit, decreasing length; `_pack_bfd` in
 * trl/data_utils.py). Pure. A packed row is trained as its parts would be alone: positions begin again
 * at each, attention stays within each, and the first token of each is no target.
 */
import { IGNORED, type TokenRow } from './batches';

/**
 * Longest first, each into the fullest row that still holds it, of equals the one that was opened or
 * filled first; a row that fits nowhere opens a new one. Rows of equal length keep their order.
 * @param rows each at most `maxLength` tokens
 * @returns packed rows in the order in which they were opened; their `starts` say where a part begins
 */
export function packRows(rows: readonly TokenRow[], maxLength: number): TokenRow[] {
  const filled = rows.filter(({ inputIds }) => inputIds.length > 0);
  const longestFirst = filled
    .map((row, index) => ({ row, index }))
    .sort((a, b) => b.row.inputIds.length - a.row.inputIds.length || a.index - b.index);
  const bins: TokenRow[][] = [];
  /** Bins by the tokens that they still hold, in the order in which they came to it. */
  const bySpace: number[][] = Array.from({ length: maxLength }, () => []);
  for (const { row } of longestFirst) {
    const { length } = row.inputIds;
    let space = length;
    while (space < maxLength && bySpace[space].length === 0) space++;
    const bin = space < maxLength ? bySpace[space].shift()! : bins.push([]) - 1;
    bins[bin].push(row);
    if (space > length) bySpace[space - length].push(bin);
  }
  return bins.map(joinRows);
}

function joinRows(parts: readonly TokenRow[]): TokenRow {
  const length = parts.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  const inputIds = new Int32Array(length);
  const labels = new Int32Array(length);
  const starts: number[] = [];
  let start = 0;
  for (const part of parts) {
    starts.push(start);
    inputIds.set(part.inputIds, start);
    labels.set(part.labels, start);
    labels[start] = IGNORED;
    start += part.inputIds.length;
  }
  return { inputIds, labels, starts };
}
