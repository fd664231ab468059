/** A dataset file becomes rows of tokens. */
import { basename } from 'node:path';
import { describe } from '$lib/config/fields';
import { readDataset, type DatasetRow } from '$lib/formats';
import { encodeParts, encodeRow, type Tokenizer } from '$lib/text';
import type { TokenRow } from '$lib/training';
import { readBytes } from './disk';
import { CliError } from './errors';
import { tell } from './print';
import { openTokenizer } from './tokenizer-files';

export interface RowOptions {
  maxLength: number;
  trainOnPrompt: boolean;
  splitLongText?: boolean;
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
  const { maxLength, trainOnPrompt, splitLongText = false } = options;
  const needsTokenizer = rows.some(({ kind }) => kind !== 'tokens');
  const tokenizer = needsTokenizer ? await openTokenizer(modelPath) : undefined;
  const encoding = { template: 'auto', maxLength, trainOnPrompt } as const;
  let cutCount = 0;
  const split = { rows: 0, parts: 0 };
  const encoded = rows.flatMap((row): TokenRow[] => {
    if (row.kind === 'tokens') {
      if (row.inputIds.length > maxLength) cutCount++;
      const cut = (ids: readonly number[]) => Int32Array.from(ids.slice(0, maxLength));
      return [{ inputIds: cut(row.inputIds), labels: cut(row.labels) }];
    }
    const encode = splitLongText ? encodeParts : encodeOne;
    const parts = encode(row, tokenizer as Tokenizer, encoding);
    if (parts[0].answerCut) cutCount++;
    if (parts.length > 1) {
      split.rows++;
      split.parts += parts.length;
    }
    return parts;
  });
  const { length } = rows;
  if (split.rows > 0)
    tell(
      `${split.rows} of ${length} rows are split into ${split.parts} at max_length ${maxLength}`,
    );
  if (cutCount > 0) tell(`${cutCount} of ${length} rows are cut at max_length ${maxLength}`);
  return encoded;
}

const encodeOne = (...row: Parameters<typeof encodeRow>) => [encodeRow(...row)];

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
