/** An evaluation as CSV (one line a question) or JSON, for a spreadsheet or a notebook. */
import type { EvaluationReport } from '../rpc/engine-api';

export function toCsv(report: EvaluationReport, names: readonly string[]): string {
  const lines = [
    ['instruction', 'input', 'reference', ...names],
    ...report.rows.map((row) => [row.instruction, row.input, row.reference, ...row.answers]),
  ];
  // The mark lets spreadsheets read Chinese as UTF-8.
  return '\ufeff' + lines.map((cells) => cells.map(quote).join(',')).join('\r\n') + '\r\n';
}

/** A leading = + - @ would run as a formula when the file is opened in a spreadsheet. */
function quote(cell: string): string {
  const safe = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const toJson = (report: EvaluationReport): string => JSON.stringify(report, null, 2);
