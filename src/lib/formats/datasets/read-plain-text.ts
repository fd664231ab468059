/**
 * Prose to records with a `text` each: a row is a paragraph, as blank lines divide them. A text without a blank line
 * between its lines has a row a line. Breaks within a paragraph stay, as \n; white space at a row's end goes.
 */
import { RecordCollector, type RawDataset } from './record-collector';

export function readPlainText(text: string, fileName: string): RawDataset {
  const lines = text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
  const collected = new RecordCollector(fileName);
  for (const row of hasBlankLine(lines) ? paragraphsOf(lines) : linesOf(lines))
    if (row.trim() !== '') collected.add({ text: row.trimEnd() });
  return { format: 'text', ...collected };
}

/** Between two lines that are not blank. */
function hasBlankLine(text: string): boolean {
  let seen = false;
  let blank = false;
  for (const line of linesOf(text)) {
    const isBlank = line.trim() === '';
    if (!isBlank && blank) return true;
    seen ||= !isBlank;
    blank = seen && isBlank;
  }
  return false;
}

function* linesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length;) {
    const end = lineEnd(text, at);
    yield text.slice(at, end);
    at = end + 1;
  }
}

function* paragraphsOf(text: string): Generator<string> {
  let from = 0;
  for (let at = 0; at < text.length;) {
    const end = lineEnd(text, at);
    if (text.slice(at, end).trim() === '') {
      if (at > from) yield text.slice(from, at);
      from = end + 1;
    }
    at = end + 1;
  }
  if (from < text.length) yield text.slice(from);
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}
