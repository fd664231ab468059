/**
 * A text that is longer than a row may be, as rows that follow each other. Every token that the whole would learn is
 * learned once: each later part begins with the last token of the one before, which is read there and not learned
 * again. What the tokenizer puts around a text is around the whole, not around each part.
 */
import type { DatasetRow } from '../config';
import {
  encodeRow,
  IGNORED_LABEL,
  requireRoom,
  type EncodedRow,
  type EncodeRowOptions,
} from './encode-row';
import type { Tokenizer } from './tokenizer';

/** Only texts are ever split: a question without its answer, or the other way round, teaches nothing. */
export const isSplittable = ({ kind }: DatasetRow): boolean => kind === 'text';

/** Rows that a text of so many tokens becomes. */
export const countParts = (tokens: number, maxLength: number): number =>
  tokens <= maxLength ? 1 : 1 + Math.ceil((tokens - maxLength) / (maxLength - 1));

/** One row, cut at `maxLength` as by `encodeRow`, or the parts of a text. @throws TextError as encodeRow */
export function encodeParts(
  row: DatasetRow,
  tokenizer: Tokenizer,
  options: EncodeRowOptions,
): EncodedRow[] {
  const { maxLength } = options;
  if (!isSplittable(row)) return [encodeRow(row, tokenizer, options)];
  requireRoom(maxLength);
  const whole = encodeRow(row, tokenizer, { ...options, maxLength: Number.MAX_SAFE_INTEGER });
  const count = countParts(whole.inputIds.length, maxLength);
  if (count === 1) return [whole];
  return Array.from({ length: count }, (_, place) => partOf(whole, place, maxLength));
}

function partOf(whole: EncodedRow, place: number, maxLength: number): EncodedRow {
  const from = place * (maxLength - 1);
  const inputIds = whole.inputIds.slice(from, from + maxLength);
  const labels = whole.labels.slice(from, from + maxLength);
  if (place > 0) labels[0] = IGNORED_LABEL;
  const first = labels.findIndex((label) => label !== IGNORED_LABEL);
  const promptLength = first === -1 ? labels.length : first;
  return { ...whole, inputIds, labels, promptLength, truncated: false, answerCut: false };
}
