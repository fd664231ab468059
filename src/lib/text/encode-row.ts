/**
 * A row of a dataset to token ids and labels. Labels are Hugging Face's: as long as the ids, the id
 * itself where loss is taken, -100 elsewhere; the shift by one position is the loss's affair.
 */
import { encodePieces, prefixIds } from './encode-pieces';
import { TextError } from './errors';
import { renderRow } from './render-row';
import type { DatasetRow } from '../config';
import type { RowTemplate } from './row-template';
import { createStreamDecoder } from './stream-decoder';
import type { Tokenizer } from './tokenizer';

export const IGNORED_LABEL = -100;

export interface EncodeRowOptions {
  readonly template: RowTemplate;
  /** Tokens a row may have; the rest is cut off at the end. */
  readonly maxLength: number;
  /** Loss on every token instead of the answers alone; answers that the data give weight 0 bear none all the same. */
  readonly trainOnPrompt: boolean;
}

export interface EncodedRow {
  readonly inputIds: Int32Array<ArrayBuffer>;
  readonly labels: Int32Array<ArrayBuffer>;
  /** Tokens before the first that carries loss. */
  readonly promptLength: number;
  readonly truncated: boolean;
  /** Part of an answer was cut off, or nothing is left to learn from. */
  readonly answerCut: boolean;
  /** The template is not prefix-stable: of several answers only the last carries loss. */
  readonly lastTurnOnly: boolean;
  /** The whole text before cutting; '' for rows that came as tokens. */
  readonly text: string;
}

export function encodeRow(
  row: DatasetRow,
  tokenizer: Tokenizer,
  options: EncodeRowOptions,
): EncodedRow {
  requireRoom(options.maxLength);
  if (row.kind === 'tokens') return passThrough(row, tokenizer, options);
  const { pieces, addSpecialTokens, isLastTurnOnly } = renderRow(row, tokenizer, options.template);
  const text = pieces.map((piece) => piece.text).join('');
  const encoded = encodePieces(pieces, tokenizer);
  const bos = addSpecialTokens ? prefixIds(tokenizer) : [];
  const ids = [...bos];
  const labels = bos.map((id) => (options.trainOnPrompt ? id : IGNORED_LABEL));
  for (const [i, piece] of encoded.entries()) {
    const hasLoss = !pieces[i].isMasked && (options.trainOnPrompt || pieces[i].hasLoss);
    for (const id of piece) {
      ids.push(id);
      labels.push(hasLoss ? id : IGNORED_LABEL);
    }
  }
  return finish(ids, labels, text, options.maxLength, isLastTurnOnly);
}

/** @throws TextError `bad-row` */
export function requireRoom(maxLength: number): void {
  if (Number.isInteger(maxLength) && maxLength >= 2) return;
  throw new TextError('bad-row', `maxLength is ${maxLength}; 2 or more are allowed.`);
}

export interface PreviewToken {
  readonly id: number;
  /** '' for a token that holds only the first bytes of a character: the last one shows it. */
  readonly text: string;
  readonly hasLoss: boolean;
}

/** The tokens of a row as they will be trained on, for a page that colours the mask. */
export function previewRow(
  row: DatasetRow,
  tokenizer: Tokenizer,
  options: EncodeRowOptions,
): PreviewToken[] {
  const { inputIds, labels } = encodeRow(row, tokenizer, options);
  const stream = createStreamDecoder(tokenizer, { skipSpecialTokens: false });
  const tokens = Array.from(inputIds, (id, i) => ({
    id,
    text: stream.push(id),
    hasLoss: labels[i] !== IGNORED_LABEL,
  }));
  const rest = stream.flush();
  const last = tokens.at(-1);
  if (last && rest !== '') last.text += rest;
  return tokens;
}

function passThrough(
  row: Extract<DatasetRow, { kind: 'tokens' }>,
  tokenizer: Tokenizer,
  { maxLength }: EncodeRowOptions,
): EncodedRow {
  const { inputIds, labels } = row;
  if (inputIds.length !== labels.length) {
    throw new TextError(
      'bad-row',
      `the row has ${inputIds.length} input_ids and ${labels.length} labels; they must be equally many.`,
    );
  }
  const isId = (id: number) => Number.isInteger(id) && id >= 0 && id < tokenizer.vocabSize;
  const badId = inputIds.findIndex((id) => !isId(id));
  const badLabel = labels.findIndex((id) => id !== IGNORED_LABEL && !isId(id));
  if (badId !== -1 || badLabel !== -1) {
    const where = badId !== -1 ? `input_ids[${badId}]` : `labels[${badLabel}]`;
    const found = badId !== -1 ? inputIds[badId] : labels[badLabel];
    throw new TextError(
      'bad-token-id',
      `${where} is ${found}; the model's vocabulary has ids 0 to ${tokenizer.vocabSize - 1}. Was the row made with another tokenizer?`,
    );
  }
  return finish(inputIds, labels, '', maxLength, false);
}

function finish(
  ids: readonly number[],
  labels: readonly number[],
  text: string,
  maxLength: number,
  lastTurnOnly: boolean,
): EncodedRow {
  const isTarget = (label: number) => label !== IGNORED_LABEL;
  const keptLabels = Int32Array.from(labels.slice(0, maxLength));
  const first = keptLabels.findIndex(isTarget);
  // The first token is predicted from nothing: a target there alone teaches nothing.
  const isEmpty = !keptLabels.subarray(1).some(isTarget);
  return {
    inputIds: Int32Array.from(ids.slice(0, maxLength)),
    labels: keptLabels,
    promptLength: first === -1 ? keptLabels.length : first,
    truncated: ids.length > maxLength,
    answerCut: isEmpty || labels.slice(maxLength).some(isTarget),
    lastTurnOnly,
    text,
  };
}
