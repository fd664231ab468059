/** How long a row is before any cut, and where in it learning takes place: enough to tell what a length would cut. */
import type { DatasetRow } from '../config';
import { encodeRow, IGNORED_LABEL, type EncodeRowOptions } from './encode-row';
import { isSplittable } from './split-text';
import type { Tokenizer } from './tokenizer';

export interface RowMeasure {
  readonly tokens: number;
  /** Index of the first target that a token comes before; -1 where there is none. */
  readonly firstTarget: number;
  /** Index of the last target; -1 where there is none. */
  readonly lastTarget: number;
  /** Where it is too long, it may be learned in parts. */
  readonly isSplittable: boolean;
}

/** @throws TextError as encodeRow */
export function measureRow(
  row: DatasetRow,
  tokenizer: Tokenizer,
  options: Omit<EncodeRowOptions, 'maxLength'>,
): RowMeasure {
  const maxLength = Number.MAX_SAFE_INTEGER;
  const { inputIds, labels } = encodeRow(row, tokenizer, { ...options, maxLength });
  const isTarget = (label: number) => label !== IGNORED_LABEL;
  return {
    tokens: inputIds.length,
    firstTarget: labels.findIndex((label, index) => index > 0 && isTarget(label)),
    lastTarget: labels.findLastIndex(isTarget),
    isSplittable: isSplittable(row),
  };
}

/** `answerCut` of the row encoded at this length. */
export const cutsAnswer = (
  { firstTarget, lastTarget }: Pick<RowMeasure, 'firstTarget' | 'lastTarget'>,
  maxLength: number,
): boolean => firstTarget === -1 || firstTarget >= maxLength || lastTarget >= maxLength;
