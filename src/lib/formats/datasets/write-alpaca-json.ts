/** Writes rows as the Alpaca JSON array that other trainers read. */
import { FormatError } from '../errors';
import type { DatasetRow } from './types';

export function writeAlpacaJson(rows: readonly DatasetRow[]): string {
  const records = rows.map((row, i) => {
    if (row.kind === 'instruction') {
      return { instruction: row.instruction, input: row.input, output: row.output };
    }
    if (row.kind === 'completion') {
      return { instruction: row.prompt, input: '', output: row.completion };
    }
    throw new FormatError(
      'invalid-value',
      `row ${i + 1} is of kind ${row.kind}; Alpaca JSON holds instruction and completion rows only.`,
    );
  });
  return `${JSON.stringify(records, undefined, 2)}\n`;
}
