/**
 * Text to records, whatever the format: a JSON array, one JSON object, JSON lines, a table, or plain text. Gives
 * fields no meaning. A broken line is a problem of that row; a broken array is an error of the file. The name
 * decides only where the content leaves room for doubt: `file-name-kind.ts`.
 */
import Papa from 'papaparse';
import { isDeeperThan, skipJsonString } from '../../config/json-depth';
import { describeValue } from '../describe';
import { FormatError } from '../errors';
import { describeText, notADataset } from './decode-text';
import { kindOfName } from './file-name-kind';
import { detectSchema } from './map-rows';
import { suggestMapping } from './mapping';
import { readPlainText } from './read-plain-text';
import { isRecord, MAX_ROWS, RecordCollector, type RawDataset } from './record-collector';
import type { DatasetFormat, DatasetRecord } from './types';

/** Chat rows nest four deep. The bound keeps recursive JSON parsers from overflowing. */
export const MAX_DEPTH = 64;
/** A table wider than this is a matrix, not a dataset of texts. */
export const MAX_COLUMNS = 1000;

export function readRecords(text: string, fileName: string): RawDataset {
  const start = text.search(/\S/);
  if (start === -1) {
    throw new FormatError('wrong-format', `${fileName} is empty; it holds no row.`, {
      details: { fileName },
    });
  }
  const isCalledText = kindOfName(fileName) === 'text';
  if (!isCalledText || STARTS_JSON.test(text.slice(start, start + START_CHARS))) {
    if (text[start] === '[') return readArray(text, start, fileName);
    if (text[start] === '{') return readObjects(text, start, fileName);
  }
  return isCalledText ? readText(text, fileName) : readTable(text, fileName);
}

/**
 * A prose text may begin with a bracket, as `[Verse 1]`, `[1] Smith` or `[[wiki link]]`; rows of JSON begin with an object, a
 * list of texts or, where somebody wrote them by hand, a comment. What is broken behind that is refused by row and line.
 */
const STARTS_JSON = /^(\{\s*["'}]|\[\s*(\{|\[\s*["']|\/[/*]))/;
const START_CHARS = 1000;

/** A file that is called a text may hold a table all the same, as spreadsheets save one with tabs. */
function readText(text: string, fileName: string): RawDataset {
  const seems = describeText(text, { isCalledText: true });
  if (seems !== 'plain text') throw notADataset(fileName, seems);
  const table = parseTable(text);
  return table && isMeantAsTable(table)
    ? readLines(table, fileName)
    : readPlainText(text, fileName);
}

/** Prose may have commas in its lines: only its first line's names, or tabs in nearly all of them, make it a table. */
function isMeantAsTable({ columns, lines, fitting, delimiter }: Table): boolean {
  if (detectSchema(columns) !== 'unknown') return true;
  if (columns.length < 2 || fitting < NEARLY_ALL * lines.length) return false;
  const { instruction, output } = suggestMapping(columns);
  return delimiter === '\t' || (instruction !== undefined && output !== undefined);
}

const NEARLY_ALL = 0.9;

function readArray(text: string, start: number, fileName: string): RawDataset {
  const collected = new RecordCollector(fileName);
  let i = skipSpace(text, start + 1);
  let isClosed = text[i] === ']';
  while (!isClosed) {
    const end = valueEnd(text, i);
    checkDepth(text, i, end, fileName, collected.count + 1);
    collected.add(parseValue(text, i, end, fileName, collected.count + 1));
    i = skipSpace(text, end);
    if (text[i] === ',') i = skipSpace(text, i + 1);
    else if (text[i] === ']') isClosed = true;
    else throw brokenJson(text, i, fileName, collected.count + 1);
  }
  const rest = skipSpace(text, i + 1);
  if (rest < text.length) throw brokenJson(text, rest, fileName, collected.count);
  return { format: 'json', ...collected };
}

/** JSON lines, or one object that holds the rows under some key, or one object that is the row. */
function readObjects(text: string, start: number, fileName: string): RawDataset {
  const firstLineEnd = lineEnd(text, start);
  if (valueEnd(text, start) > firstLineEnd) {
    const end = valueEnd(text, start);
    if (skipSpace(text, end) < text.length) return readConcatenated(text, start, fileName);
    checkDepth(text, start, end, fileName, 1);
    return readWrapper(parseValue(text, start, end, fileName, 1), fileName);
  }
  const collected = new RecordCollector(fileName);
  for (let i = start; i < text.length;) {
    const end = lineEnd(text, i);
    const line = text.slice(i, end).trim();
    i = end + 1;
    if (line === '') continue;
    if (isDeeperThan(line, MAX_DEPTH)) {
      collected.reject('not-json', `brackets nest deeper than ${MAX_DEPTH}`);
      continue;
    }
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      collected.reject('not-json', describeValue(line));
      continue;
    }
    collected.add(value);
  }
  if (collected.count === 1 && collected.problems.length === 0) {
    return readWrapper(collected.records[0], fileName, 'jsonl');
  }
  if (collected.problems.length * 2 > collected.count) {
    throw new FormatError(
      'corrupt',
      `${fileName} looks like JSONL, but ${collected.problems.length} of its ${collected.count} lines are no JSON object; row ${collected.problems[0].row} is ${collected.problems[0].found}.`,
      { details: { fileName, row: collected.problems[0].row } },
    );
  }
  return { format: 'jsonl', ...collected };
}

/** Pretty-printed objects one after another, as some tools write "JSONL". */
function readConcatenated(text: string, start: number, fileName: string): RawDataset {
  const collected = new RecordCollector(fileName);
  for (let i = start; i < text.length;) {
    const end = valueEnd(text, i);
    checkDepth(text, i, end, fileName, collected.count + 1);
    collected.add(parseValue(text, i, end, fileName, collected.count + 1));
    i = skipSpace(text, end);
    if (text[i] === ',') throw brokenJson(text, i, fileName, collected.count);
  }
  return { format: 'jsonl', ...collected };
}

function readWrapper(value: unknown, fileName: string, format: DatasetFormat = 'json'): RawDataset {
  const collected = new RecordCollector(fileName);
  const record = isRecord(value) ? value : {};
  const lists = Object.values(record).filter(
    (list) => Array.isArray(list) && list.length > 0 && list.every(isRecord),
  );
  // `messages` of one chat row is a list of objects too: those have a role or a speaker.
  const rows = lists.length === 1 ? (lists[0] as DatasetRecord[]) : [];
  const isChat = rows.length > 0 && rows.every((row) => 'role' in row || 'from' in row);
  if (rows.length > 0 && !isChat) {
    for (const row of rows) collected.add(row);
    return { format: 'json', ...collected };
  }
  collected.add(value);
  return { format, ...collected };
}

function readTable(text: string, fileName: string): RawDataset {
  const seems = describeText(text);
  if (seems !== 'plain text') throw notADataset(fileName, seems);
  const table = parseTable(text);
  if (table) return readLines(table, fileName);
  const kind = kindOfName(fileName);
  if (kind !== undefined)
    throw notADataset(fileName, kind === 'settings' ? 'a YAML document' : seems);
  return readPlainText(text, fileName);
}

interface Table {
  readonly columns: readonly string[];
  readonly lines: readonly (readonly string[])[];
  /** Lines that have a cell for each column. */
  readonly fitting: number;
  readonly delimiter: string;
}

/** Undefined where the lines are no table's. */
function parseTable(text: string): Table | undefined {
  const parsed = Papa.parse<string[]>(text.trimEnd(), { preview: MAX_ROWS + 2 });
  const [header = [], ...lines] = parsed.data;
  const columns = header.map((name, i) => name.trim() || `column_${i + 1}`);
  const isSingleText = columns.length === 1 && columns[0].toLowerCase() === 'text';
  if (columns.length > MAX_COLUMNS || lines.length === 0) return undefined;
  if (columns.length === 1 && !isSingleText) return undefined;
  const fitting = lines.filter((line) => line.length === columns.length).length;
  if (fitting * 2 < lines.length) return undefined;
  return { columns, lines, fitting, delimiter: parsed.meta.delimiter };
}

function readLines({ columns, lines }: Table, fileName: string): RawDataset {
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new FormatError(
      'corrupt',
      `${fileName} has two columns named ${describeValue(twice)}; each name may occur once.`,
      { details: { fileName, column: twice.slice(0, 100) } },
    );
  }
  const collected = new RecordCollector(fileName);
  for (const line of lines) {
    if (line.every((cell) => cell.trim() === '')) collected.reject('empty-row', 'nothing');
    else if (line.length > columns.length) {
      collected.reject(
        'extra-fields',
        `${line.length} cells where the header has ${columns.length}`,
      );
    } else if (line.length < columns.length) {
      collected.reject(
        'missing-field',
        `${line.length} cells where the header has ${columns.length}`,
        columns[line.length],
      );
    } else collected.add(Object.fromEntries(columns.map((name, i) => [name, line[i]])));
  }
  return { format: 'csv', ...collected };
}

/** Index after the JSON value that starts at `i`; where it ends wrongly the parser will say so. */
function valueEnd(text: string, i: number): number {
  let depth = 0;
  while (i < text.length) {
    const c = text[i];
    if (c === '"') {
      i = skipJsonString(text, i);
      if (depth === 0) return i;
      continue;
    }
    if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') {
      if (depth <= 1) return depth === 0 ? i : i + 1;
      depth--;
    } else if (depth === 0 && (c === ',' || /\s/.test(c))) return i;
    i++;
  }
  return text.length;
}

function parseValue(
  text: string,
  from: number,
  to: number,
  fileName: string,
  row: number,
): unknown {
  try {
    return JSON.parse(text.slice(from, to));
  } catch (cause) {
    throw brokenJson(text, from, fileName, row, cause);
  }
}

function checkDepth(text: string, from: number, to: number, fileName: string, row: number): void {
  if (!isDeeperThan(text, MAX_DEPTH, from, to)) return;
  throw new FormatError(
    'too-large',
    `row ${row} of ${fileName} nests brackets deeper than ${MAX_DEPTH}; chat rows need four.`,
    { details: { fileName } },
  );
}

function brokenJson(text: string, at: number, fileName: string, row: number, cause?: unknown) {
  const line = text.slice(0, at).split('\n').length;
  const found = at >= text.length ? 'the end of the file' : describeValue(text.slice(at, at + 40));
  return new FormatError(
    'corrupt',
    `${fileName} is broken JSON at row ${row}, line ${line}: found ${found}. Correct that row or save the file again.`,
    { details: { fileName, row, line }, cause },
  );
}

function skipSpace(text: string, i: number): number {
  while (i < text.length && /\s/.test(text[i])) i++;
  return i;
}

function lineEnd(text: string, i: number): number {
  const end = text.indexOf('\n', i);
  return end === -1 ? text.length : end;
}
