/** The rows of a data set as lines of JSON, and back, each line held against what a row may be. */
import { isJsonObject, parseJsonObject } from '../config';
import type { ChatMessage, DatasetRow } from '../formats';
import { Sha256 } from '../formats/sha256';
import { wrongArchive } from './archive-layout';

/** A row is a text that a model reads: some thousand characters. */
const MAX_LINE_CHARS = 16 << 20;
const ROLES: readonly string[] = ['system', 'user', 'assistant', 'tool'];
const NO_LOSS: readonly unknown[] = [undefined, 'weight', 'prompt'];

/** The hash of a data set's record, which is over all its rows as one JSON list. */
export class RowsHash {
  private readonly hash = new Sha256();
  private readonly encoder = new TextEncoder();
  count = 0;

  add(row: DatasetRow): void {
    this.hash.update(this.encoder.encode(`${this.count === 0 ? '[' : ','}${JSON.stringify(row)}`));
    this.count++;
  }

  digest(): string {
    return this.hash.update(this.encoder.encode(this.count === 0 ? '[]' : ']')).digest();
  }
}

export function writeRowLines(rows: readonly DatasetRow[]): Uint8Array {
  return new TextEncoder().encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

/** @throws EngineError `wrong-archive`, ConfigError `not-json`, naming the line */
export async function* readRowLines(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
): AsyncGenerator<DatasetRow> {
  const decoder = new TextDecoder();
  let number = 0;
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    if (rest.length > MAX_LINE_CHARS)
      throw wrongArchive(path, `row ${number + 1} has more than ${MAX_LINE_CHARS} characters`);
    for (const line of lines) yield readRow(line, `${path}, row ${++number}`);
  }
  if (rest + decoder.decode() !== '') throw wrongArchive(path, `row ${number + 1} is cut off`);
}

function readRow(line: string, where: string): DatasetRow {
  const row = parseJsonObject(line, where);
  const has = (...fields: string[]) => fields.every((field) => typeof row[field] === 'string');
  const text = (field: string) => row[field] as string;
  const { kind } = row;
  if (kind === 'instruction' && has('instruction', 'input', 'output'))
    return {
      kind,
      instruction: text('instruction'),
      input: text('input'),
      output: text('output'),
    };
  if (kind === 'completion' && has('prompt', 'completion'))
    return { kind, prompt: text('prompt'), completion: text('completion') };
  if (kind === 'text' && has('text')) return { kind, text: text('text') };
  if (kind === 'chat' && Array.isArray(row.messages) && row.messages.every(isMessage))
    return { kind, messages: row.messages.map(readMessage) };
  if (kind === 'tokens' && isIds(row.inputIds, 0) && isIds(row.labels, -100))
    if (row.inputIds.length === row.labels.length)
      return { kind, inputIds: row.inputIds, labels: row.labels };
  throw wrongArchive(where, 'it is no row of a data set');
}

const readMessage = ({ role, content, noLoss }: ChatMessage): ChatMessage =>
  noLoss === undefined ? { role, content } : { role, content, noLoss };

function isMessage(value: unknown): value is ChatMessage {
  return (
    isJsonObject(value) &&
    typeof value.content === 'string' &&
    ROLES.some((role) => role === value.role) &&
    NO_LOSS.some((reason) => reason === value.noLoss)
  );
}

/** Token ids are below 2^31: they travel as Int32Array. */
const isIds = (value: unknown, least: number): value is number[] =>
  Array.isArray(value) &&
  value.every((id) => Number.isInteger(id) && (id as number) >= least && (id as number) < 2 ** 31);
