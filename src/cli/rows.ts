/** A dataset file becomes rows of tokens. */
import { basename } from 'node:path';
import { readDataset } from '$lib/formats';
import { encodeRow } from '$lib/text';
import type { TokenRow } from '$lib/training';
import { readBytes } from './disk';
import { CliError } from './errors';
import { openTokenizer } from './model-folder';

export interface RowOptions {
  maxLength: number;
  trainOnPrompt: boolean;
}

export interface EncodedRows {
  readonly rows: TokenRow[];
  /** Rows whose answer lost its end to `maxLength`. */
  readonly cutCount: number;
}

/** @throws CliError, FormatError, TextError naming the file, row and field */
export async function readRows(
  file: string,
  modelPath: string,
  { maxLength, trainOnPrompt }: RowOptions,
): Promise<EncodedRows> {
  const fileName = basename(file);
  const dataset = readDataset(await readBytes(file), { fileName });
  if (dataset.schema === 'unknown')
    throw new CliError(
      'file',
      `${fileName} has the fields ${dataset.columns.join(', ')}; needed are instruction and output, prompt and completion, messages, conversations, text, or input_ids and labels. Rename the fields.`,
    );
  const problem = dataset.problems[0];
  if (dataset.rows.length === 0)
    throw new CliError(
      'file',
      problem
        ? `${fileName}: row ${problem.row}, field ${problem.field}: ${problem.kind} (${problem.found}). No row can be used.`
        : `${fileName} holds no row. At least one is needed.`,
    );
  for (const { row, field, kind, found } of dataset.problems)
    process.stderr.write(
      `${fileName}: row ${row} is left out, field ${field}: ${kind} (${found})\n`,
    );
  const tokenised = dataset.rows.every((row) => row.schema === 'tokenised');
  const tokenizer = tokenised ? undefined : await openTokenizer(modelPath);
  const encoded = dataset.rows.map((row) =>
    encodeRow(row, tokenizer, { template: 'auto', maxLength, trainOnPrompt }),
  );
  const cutCount = encoded.filter(({ answerCut }) => answerCut).length;
  if (cutCount > 0)
    process.stderr.write(
      `${cutCount} of ${encoded.length} rows have their answer cut at ${maxLength} tokens\n`,
    );
  return { rows: encoded, cutCount };
}
