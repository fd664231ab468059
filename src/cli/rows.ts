/** A dataset file becomes rows of tokens. */
import { basename } from 'node:path';
import { describe } from '$lib/config/fields';
import { readDataset, type DatasetRow } from '$lib/formats';
import { encodeRow, type Tokenizer } from '$lib/text';
import type { TokenRow } from '$lib/training';
import { readBytes } from './disk';
import { CliError } from './errors';
import { tell } from './print';
import { openTokenizer } from './tokenizer-files';

export interface RowOptions {
  maxLength: number;
  trainOnPrompt: boolean;
}

/** @throws CliError, FormatError, TextError naming the file, row and field */
export async function readRows(
  file: string,
  modelPath: string,
  options: RowOptions,
): Promise<TokenRow[]> {
  const fileName = basename(file);
  const dataset = readDataset(await readBytes(file), { fileName });
  if (dataset.schema === 'unknown')
    throw new CliError(
      'file',
      `${fileName} has the fields ${dataset.columns.join(', ')}; needed are instruction and output, prompt and completion, messages, conversations, text, or input_ids and labels. Rename the fields.`,
    );
  const complaints = dataset.problems.map(
    ({ row, field, kind, found }) => `row ${row}, field ${field || '(all)'}: ${kind} (${found})`,
  );
  if (dataset.rows.length === 0)
    throw new CliError(
      'file',
      `${fileName} has no row that can be used: ${complaints[0] ?? 'it is empty'}. Give at least one row.`,
    );
  for (const complaint of complaints) tell(`${fileName}: left out ${complaint}`);
  if (dataset.unusedColumns.length > 0) tell(`${fileName}: ${notUsed(dataset.unusedColumns)}.`);
  return encodeRows(dataset.rows, modelPath, options);
}

async function encodeRows(rows: readonly DatasetRow[], modelPath: string, options: RowOptions) {
  const { maxLength, trainOnPrompt } = options;
  const needsTokenizer = rows.some(({ kind }) => kind !== 'tokens');
  const tokenizer = needsTokenizer ? await openTokenizer(modelPath) : undefined;
  let cutCount = 0;
  const encoded = rows.map((row) => {
    if (row.kind === 'tokens') {
      if (row.inputIds.length > maxLength) cutCount++;
      const cut = (ids: readonly number[]) => Int32Array.from(ids.slice(0, maxLength));
      return { inputIds: cut(row.inputIds), labels: cut(row.labels) };
    }
    const result = encodeRow(row, tokenizer as Tokenizer, {
      template: 'auto',
      maxLength,
      trainOnPrompt,
    });
    if (result.answerCut) cutCount++;
    return result;
  });
  if (cutCount > 0) tell(`${cutCount} of ${rows.length} rows are cut at max_length ${maxLength}`);
  return encoded;
}

/** Names that one line has room for. */
const NAMED = 12;

function notUsed(columns: readonly string[]): string {
  const shown = (name: string) => (/^[\w[\].]+$/.test(name) ? name : describe(name));
  const names = columns.slice(0, NAMED).map(shown);
  const more = columns.length - names.length;
  if (more > 0) names.push(`${more} more`);
  const last = names.pop()!;
  return names.length === 0
    ? `${last} is not used`
    : `${names.join(', ')} and ${last} are not used`;
}
