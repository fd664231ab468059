/** Rows of a data set as tokens for one model, with a count of what the length cuts away. */
import type { DatasetRow } from '../formats';
import type { SplitTexts } from '../rpc/engine-api';
import { encodeParts, encodeRow, type EncodedRow, type Tokenizer } from '../text';
import { TrainingError } from '../training';
import { Stretch } from './stretch';

export interface EncodedDataset {
  /** A text that is split has several. */
  readonly rows: readonly EncodedRow[];
  /** Rows of the data that they are of. */
  readonly rowCount: number;
  readonly splitTexts: SplitTexts;
  /** Rows whose answer is cut, whole or in part. */
  readonly cutRows: number;
}

export interface EncodeOptions {
  readonly maxLength: number;
  readonly trainOnPrompt: boolean;
  /** Texts that are too long become several rows. */
  readonly splitLongText?: boolean;
  /** Rows whose answer is cut are left out. */
  readonly leaveOutCut?: boolean;
  readonly signal?: AbortSignal;
  /** Rows that are done, now and then. */
  readonly onProgress?: (done: number) => void;
}

/**
 * In short stretches, between which the worker answers.
 * @throws TrainingError `answers-cut` when no row keeps an answer; TextError naming what a row has; AbortError
 */
export async function encodeDataset(
  rows: readonly DatasetRow[],
  tokenizer: Tokenizer,
  options: EncodeOptions,
): Promise<EncodedDataset> {
  const { maxLength, trainOnPrompt, splitLongText = false, leaveOutCut = false } = options;
  const encoding = { template: 'auto', maxLength, trainOnPrompt } as const;
  const all: EncodedRow[] = [];
  const splitTexts = { rows: 0, parts: 0, maxLength };
  const stretch = new Stretch();
  for (const [index, row] of rows.entries()) {
    const parts = splitLongText
      ? encodeParts(row, tokenizer, encoding)
      : [encodeRow(row, tokenizer, encoding)];
    for (const part of parts) all.push(part);
    if (parts.length > 1) {
      splitTexts.rows++;
      splitTexts.parts += parts.length;
    }
    if (!stretch.isOver) continue;
    options.onProgress?.(index + 1);
    await stretch.rest(options.signal);
  }
  const encoded = leaveOutCut ? all.filter(({ answerCut }) => !answerCut) : all;
  const cutRows = encoded.filter(({ answerCut }) => answerCut).length;
  const learnable = encoded.some(({ labels }) => labels.subarray(1).some((label) => label >= 0));
  if (!learnable)
    throw new TrainingError(
      'answers-cut',
      `All ${rows.length} rows lose their answer at max_length ${maxLength}. Raise max_length or shorten the questions.`,
      { details: { found: rows.length, allowed: maxLength } },
    );
  const rowCount = encoded.length - splitTexts.parts + splitTexts.rows;
  return { rows: encoded, rowCount, cutRows, splitTexts };
}
