/**
 * Gives records a meaning: which schema their fields follow, and what is wrong with each row. Rows
 * that cannot be trained on are left out and reported; nothing is repaired silently.
 */
import { describeType, describeValue } from '../describe';
import type {
  ChatMessage,
  ChatRole,
  DatasetRecord,
  DatasetRow,
  DatasetSchema,
  MappedDataset,
  RowProblem,
  RowProblemKind,
} from './types';

/** Fields of each schema; the first list must be there, the second may be. Order is precedence. */
const SCHEMAS: readonly {
  readonly schema: Exclude<DatasetSchema, 'unknown'>;
  readonly needs: readonly string[];
  readonly allows: readonly string[];
}[] = [
  { schema: 'tokens', needs: ['input_ids'], allows: ['labels', 'attention_mask'] },
  { schema: 'messages', needs: ['messages'], allows: [] },
  { schema: 'sharegpt', needs: ['conversations'], allows: ['system'] },
  { schema: 'alpaca', needs: ['instruction', 'output'], allows: ['input'] },
  { schema: 'prompt-completion', needs: ['prompt', 'completion'], allows: [] },
  { schema: 'text', needs: ['text'], allows: [] },
];

/** ShareGPT's speakers, and the usual spellings of chat roles. */
const ROLES = new Map<string, ChatRole>([
  ['system', 'system'],
  ['developer', 'system'],
  ['user', 'user'],
  ['human', 'user'],
  ['assistant', 'assistant'],
  ['gpt', 'assistant'],
  ['chatgpt', 'assistant'],
  ['bot', 'assistant'],
  ['model', 'assistant'],
  ['tool', 'tool'],
  ['function', 'tool'],
  ['observation', 'tool'],
]);

export function detectSchema(columns: readonly string[]): DatasetSchema {
  const present = new Set(columns);
  const found = SCHEMAS.find(({ needs }) => needs.every((field) => present.has(field)));
  return found?.schema ?? 'unknown';
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
  if (schema === 'unknown') return { schema, rows, rowNumbers, problems, unusedColumns: columns };
  records.forEach((record, i) => {
    const number = i + 1;
    if (skip.has(number)) return;
    const complain: Complain = (kind, field, value) => {
      problems.push({ row: number, field, kind, found: foundText(kind, value) });
      return undefined;
    };
    const isEmpty = Object.values(record).every((v) => v === null || v === '' || v === undefined);
    const row = isEmpty ? complain('empty-row', '', undefined) : READERS[schema](record, complain);
    if (!row) return;
    rows.push(row);
    rowNumbers.push(number);
  });
  const spec = SCHEMAS.find((known) => known.schema === schema);
  const used = new Set([...(spec?.needs ?? []), ...(spec?.allows ?? [])]);
  const unusedColumns = columns.filter((name) => !used.has(name));
  return { schema, rows, rowNumbers, problems, unusedColumns };
}

type Complain = (kind: RowProblemKind, field: string, value: unknown) => undefined;
type Reader = (record: DatasetRecord, complain: Complain) => DatasetRow | undefined;

const READERS: Record<Exclude<DatasetSchema, 'unknown'>, Reader> = {
  alpaca(record, complain) {
    const instruction = readText(record, 'instruction', complain, 'empty-field');
    const input = readText(record, 'input', complain, 'optional');
    const output = readText(record, 'output', complain, 'empty-output');
    if (instruction === undefined || input === undefined || output === undefined) return undefined;
    return { kind: 'instruction', instruction, input, output };
  },
  'prompt-completion'(record, complain) {
    const prompt = readText(record, 'prompt', complain, 'empty-field');
    const completion = readText(record, 'completion', complain, 'empty-output');
    if (prompt === undefined || completion === undefined) return undefined;
    return { kind: 'completion', prompt, completion };
  },
  text(record, complain) {
    const text = readText(record, 'text', complain, 'empty-output');
    return text === undefined ? undefined : { kind: 'text', text };
  },
  messages: (record, complain) => readChat(record, 'messages', 'role', 'content', [], complain),
  sharegpt(record, complain) {
    const system = readText(record, 'system', complain, 'optional');
    if (system === undefined) return undefined;
    const before: ChatMessage[] = system === '' ? [] : [{ role: 'system', content: system }];
    return readChat(record, 'conversations', 'from', 'value', before, complain);
  },
  tokens(record, complain) {
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

function readChat(
  record: DatasetRecord,
  field: string,
  roleKey: string,
  contentKey: string,
  before: readonly ChatMessage[],
  complain: Complain,
): DatasetRow | undefined {
  const turns = record[field];
  if (turns === undefined || turns === null) return complain('missing-field', field, turns);
  if (!Array.isArray(turns)) return complain('wrong-type', field, turns);
  if (turns.length === 0) return complain('empty-field', field, turns);
  const messages = [...before];
  for (const [i, turn] of (turns as unknown[]).entries()) {
    const path = `${field}[${i}]`;
    if (typeof turn !== 'object' || turn === null) return complain('wrong-type', path, turn);
    const { [roleKey]: speaker, [contentKey]: content } = turn as Record<string, unknown>;
    const role = typeof speaker === 'string' ? ROLES.get(speaker.toLowerCase()) : undefined;
    if (!role) return complain('unknown-role', `${path}.${roleKey}`, speaker);
    const where = `${path}.${contentKey}`;
    if (content === undefined || content === null) return complain('missing-field', where, content);
    if (typeof content !== 'string') return complain('wrong-type', where, content);
    if (role === 'assistant' && content.trim() === '') {
      return complain('empty-output', where, content);
    }
    messages.push({ role, content });
  }
  if (!messages.some(({ role }) => role === 'assistant')) {
    return complain('no-answer', field, `${messages.length} turns without an assistant`);
  }
  return { kind: 'chat', messages };
}

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

const SPOKEN_KINDS: ReadonlySet<RowProblemKind> = new Set(['length-mismatch', 'no-answer']);

function foundText(kind: RowProblemKind, value: unknown): string {
  if (SPOKEN_KINDS.has(kind) && typeof value === 'string') return value;
  if (kind === 'wrong-type') return `${describeType(value)}: ${describeValue(value)}`;
  return describeValue(value);
}
