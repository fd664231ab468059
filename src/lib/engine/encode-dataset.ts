/** Rows of a data set as tokens for one model, with a count of what the length cuts away. */
import type { DatasetRow } from '../formats';
import { encodeRow, type EncodedRow, type Tokenizer } from '../text';
import { TrainingError } from '../training';
import { Stretch } from './stretch';

export interface EncodedDataset {
  readonly rows: readonly EncodedRow[];
  /** Rows whose answer is cut, whole or in part. */
  readonly cutRows: number;
}

export interface EncodeOptions {
  readonly maxLength: number;
  readonly trainOnPrompt: boolean;
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
  { maxLength, trainOnPrompt, leaveOutCut = false, signal, onProgress }: EncodeOptions,
): Promise<EncodedDataset> {
  const all: EncodedRow[] = [];
  const stretch = new Stretch();
  for (const row of rows) {
    all.push(encodeRow(row, tokenizer, { template: 'auto', maxLength, trainOnPrompt }));
    if (!stretch.isOver) continue;
    onProgress?.(all.length);
    await stretch.rest(signal);
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
  return { rows: encoded, cutRows };
}
