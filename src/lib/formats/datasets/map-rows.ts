/**
 * Gives records a meaning: which schema their fields follow, and what is wrong with each row. Rows
 * that cannot be trained on are left out and reported; nothing is repaired silently.
 */
import { bearsLoss } from '../../config/dataset-row';
import { describeType, describeValue } from '../describe';
import {
  OPENAI_KEYS,
  readHistory,
  readTurns,
  SHAREGPT_KEYS,
  type RowReport,
  type TurnKeys,
} from './read-turns';
import type {
  ChatMessage,
  DatasetRecord,
  DatasetRow,
  DatasetSchema,
  FieldMapping,
  MappedDataset,
  RowProblem,
  RowProblemKind,
} from './types';

type Field = keyof FieldMapping | 'attention_mask';
type KnownSchema = Exclude<DatasetSchema, 'unknown'>;

/** Fields of each schema; the first list must be there, the second may be. Order is precedence. */
const SCHEMAS: readonly {
  readonly schema: KnownSchema;
  readonly needs: readonly Field[];
  readonly allows: readonly Field[];
}[] = [
  { schema: 'tokens', needs: ['input_ids'], allows: ['labels', 'attention_mask'] },
  { schema: 'messages', needs: ['messages'], allows: ['system'] },
  { schema: 'sharegpt', needs: ['conversations'], allows: ['system'] },
  {
    schema: 'alpaca',
    needs: ['instruction', 'output'],
    allows: ['input', 'system', 'history'],
  },
  { schema: 'prompt-completion', needs: ['prompt', 'completion'], allows: ['system'] },
  { schema: 'text', needs: ['text'], allows: [] },
];

export function detectSchema(columns: readonly string[]): DatasetSchema {
  const present = new Set(columns);
  const found = SCHEMAS.find(({ needs }) => needs.every((field) => present.has(field)));
  return found?.schema ?? 'unknown';
}

/** The columns that a schema reads, as the mapping that reads them so. */
export function mappingOf(schema: DatasetSchema, columns: readonly string[]): FieldMapping {
  const read = new Set<string>(fieldsOf(schema));
  return Object.fromEntries(columns.filter((name) => read.has(name)).map((name) => [name, name]));
}

/** All field names of the records in the order of their first appearance. */
export function listColumns(records: readonly DatasetRecord[]): string[] {
  const columns = new Set<string>();
  for (const record of records) for (const name of Object.keys(record)) columns.add(name);
  return [...columns];
}

/** `skip` holds the 1-based rows that already have a problem. */
export function mapRows(
  records: readonly DatasetRecord[],
  columns: readonly string[],
  schema: DatasetSchema,
  skip: ReadonlySet<number> = new Set(),
): MappedDataset {
  const rows: DatasetRow[] = [];
  const rowNumbers: number[] = [];
  const problems: RowProblem[] = [];
  const unread = new Set<string>();
  if (schema === 'unknown') return { schema, rows, rowNumbers, problems, unusedColumns: columns };
  records.forEach((record, i) => {
    const number = i + 1;
    if (skip.has(number)) return;
    const complain: RowReport['complain'] = (kind, field, value) => {
      problems.push({ row: number, field, kind, found: foundText(kind, value) });
      return undefined;
    };
    const isEmpty = Object.values(record).every((v) => v === null || v === '' || v === undefined);
    const row = isEmpty
      ? complain('empty-row', '', undefined)
      : READERS[schema](record, { complain, unread });
    if (!row) return;
    rows.push(row);
    rowNumbers.push(number);
  });
  const used = new Set<string>(fieldsOf(schema));
  const unusedColumns = [...columns.filter((name) => !used.has(name)), ...unread];
  return { schema, rows, rowNumbers, problems, unusedColumns };
}

function fieldsOf(schema: DatasetSchema): readonly Field[] {
  const spec = SCHEMAS.find((known) => known.schema === schema);
  return spec ? [...spec.needs, ...spec.allows] : [];
}

type Complain = RowReport['complain'];
type Reader = (record: DatasetRecord, report: RowReport) => DatasetRow | undefined;

const READERS: Record<KnownSchema, Reader> = {
  /** With a system text or turns before it, the row is a conversation that ends in its answer. */
  alpaca(record, report) {
    const { complain } = report;
    const instruction = readText(record, 'instruction', complain, 'empty-field');
    const input = readText(record, 'input', complain, 'optional');
    const output = readText(record, 'output', complain, 'empty-output');
    if (instruction === undefined || input === undefined || output === undefined) return undefined;
    const history = readHistory(record.history, 'history', report);
    if (!history) return undefined;
    const question = input === '' ? instruction : `${instruction}\n${input}`;
    const turns = [...history, ...ask(question, output)];
    const chat = withSystem(record, turns, 'history', complain);
    if (!chat || chat.length > 2) return chat && { kind: 'chat', messages: chat };
    return { kind: 'instruction', instruction, input, output };
  },
  /** TRL's two forms: texts, or two lists of messages that follow each other. */
  'prompt-completion'(record, report) {
    const { complain } = report;
    if (Array.isArray(record.prompt) || Array.isArray(record.completion)) {
      return readChat(record, ['prompt', 'completion'], OPENAI_KEYS, report);
    }
    const prompt = readText(record, 'prompt', complain, 'empty-field');
    const completion = readText(record, 'completion', complain, 'empty-output');
    if (prompt === undefined || completion === undefined) return undefined;
    const chat = withSystem(record, ask(prompt, completion), 'prompt', complain);
    if (!chat || chat.length > 2) return chat && { kind: 'chat', messages: chat };
    return { kind: 'completion', prompt, completion };
  },
  text(record, { complain }) {
    const text = readText(record, 'text', complain, 'empty-output');
    return text === undefined ? undefined : { kind: 'text', text };
  },
  messages: (record, report) => readChat(record, ['messages'], OPENAI_KEYS, report),
  sharegpt: (record, report) => readChat(record, ['conversations'], SHAREGPT_KEYS, report),
  tokens(record, { complain }) {
    const inputIds = readIntegers(record, 'input_ids', 0, complain);
    if (!inputIds) return undefined;
    if (inputIds.length === 0) return complain('empty-field', 'input_ids', inputIds);
    const labels =
      record.labels === undefined ? inputIds : readIntegers(record, 'labels', -100, complain);
    if (!labels) return undefined;
    if (labels.length !== inputIds.length) {
      return complain('length-mismatch', 'labels', `${labels.length} for ${inputIds.length} ids`);
    }
    if (labels.every((id) => id === -100)) return complain('empty-output', 'labels', labels);
    return { kind: 'tokens', inputIds, labels };
  },
};

function readText(
  record: DatasetRecord,
  field: string,
  complain: Complain,
  whenEmpty: 'empty-field' | 'empty-output' | 'optional',
): string | undefined {
  const value = record[field];
  if (value === undefined || value === null) {
    return whenEmpty === 'optional' ? '' : complain('missing-field', field, value);
  }
  if (typeof value !== 'string') return complain('wrong-type', field, value);
  if (whenEmpty !== 'optional' && value.trim() === '') return complain(whenEmpty, field, value);
  return value;
}

/**
 * Turns of one column or of several that follow each other. Only answers of the last are learned from, and one of
 * them must be.
 */
function readChat(
  record: DatasetRecord,
  fields: readonly string[],
  keys: TurnKeys,
  report: RowReport,
): DatasetRow | undefined {
  const turns: ChatMessage[] = [];
  for (const [i, field] of fields.entries()) {
    const read = readTurns(record[field], field, keys, report);
    if (!read) return undefined;
    const isLast = i === fields.length - 1;
    if (isLast && !read.some(({ role }) => role === 'assistant')) {
      const found = `${read.length} turns without an assistant`;
      return report.complain('no-answer', field, found);
    }
    if (isLast && !read.some(bearsLoss)) {
      const count = read.filter(({ role }) => role === 'assistant').length;
      return report.complain('no-weight', field, `${count} of weight 0`);
    }
    for (const turn of read)
      turns.push(!isLast && bearsLoss(turn) ? { ...turn, noLoss: 'prompt' } : turn);
  }
  const messages = withSystem(record, turns, fields[0], report.complain);
  return messages && { kind: 'chat', messages };
}

/** The text of the column `system` before the turns; said once where the first turn says the same. */
function withSystem(
  record: DatasetRecord,
  turns: readonly ChatMessage[],
  field: string,
  complain: Complain,
): readonly ChatMessage[] | undefined {
  const system = readText(record, 'system', complain, 'optional');
  if (system === undefined) return undefined;
  const [first] = turns;
  if (system.trim() === '' || (first.role === 'system' && first.content === system)) return turns;
  if (first.role === 'system') return complain('system-twice', `${field}[0]`, first.content);
  return [{ role: 'system', content: system }, ...turns];
}

const ask = (question: string, answer: string): ChatMessage[] => [
  { role: 'user', content: question },
  { role: 'assistant', content: answer },
];

/** Token ids are below 2^31: they travel as Int32Array. */
function readIntegers(
  record: DatasetRecord,
  field: string,
  least: number,
  complain: Complain,
): readonly number[] | undefined {
  const values = record[field];
  if (values === undefined || values === null) return complain('missing-field', field, values);
  if (!Array.isArray(values)) return complain('wrong-type', field, values);
  for (const [i, value] of (values as unknown[]).entries()) {
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      return complain('wrong-type', `${field}[${i}]`, value);
    }
    const isMasked = value < 0 && least < 0;
    if (value >= 2 ** 31 || value < least || (isMasked && value !== least)) {
      return complain('out-of-range', `${field}[${i}]`, value);
    }
  }
  return values as number[];
}

const SPOKEN_KINDS: ReadonlySet<RowProblemKind> = new Set([
  'length-mismatch',
  'no-answer',
  'no-weight',
  'too-many-turns',
]);

function foundText(kind: RowProblemKind, value: unknown): string {
  if (SPOKEN_KINDS.has(kind) && typeof value === 'string') return value;
  if (kind === 'wrong-type') return `${describeType(value)}: ${describeValue(value)}`;
  return describeValue(value);
}
