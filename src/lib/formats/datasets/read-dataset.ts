/**
 * A dataset file to rows: finds its encoding, format and schema by content; its name counts only where
 * content leaves room for doubt, as between a table and prose. Throws FormatError where the file is no
 * dataset; wrong rows and unknown columns are part of the answer.
 */
import { decodeText, MAX_DATASET_BYTES } from './decode-text';
import { detectSchema, listColumns, mapRows } from './map-rows';
import { readRecords } from './read-records';
import { FormatError } from '../errors';
import type { Dataset } from './types';

export function readDataset(
  source: Uint8Array | string,
  { fileName }: { readonly fileName: string },
): Dataset {
  const { text, encoding } =
    typeof source === 'string'
      ? { text: checkLength(source, fileName), encoding: 'utf-8' }
      : decodeText(source, fileName);
  const { format, records, problems } = readRecords(text.replace(/^\uFEFF/, ''), fileName);
  const columns = listColumns(records);
  const schema = detectSchema(columns);
  const mapped = mapRows(records, columns, schema, new Set(problems.map(({ row }) => row)));
  const all = [...problems, ...mapped.problems].sort((a, b) => a.row - b.row);
  return { ...mapped, format, encoding, columns, records, problems: all };
}

function checkLength(text: string, fileName: string): string {
  if (text.length <= MAX_DATASET_BYTES) return text;
  throw new FormatError(
    'too-large',
    `${fileName} has ${text.length} characters; at most ${MAX_DATASET_BYTES} are allowed. Split it.`,
    { details: { fileName } },
  );
}
