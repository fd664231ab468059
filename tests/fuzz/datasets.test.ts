/** Files that people bring as data: JSON, JSONL, CSV and prose in any encoding, and a mapping of their columns. */
import { describe, expect, it } from 'vitest';
import { applyMapping, readDataset, suggestMapping, type DatasetRow } from '$lib/formats';
import { bearsLoss } from '$lib/config';
import { decodeText } from '$lib/formats/datasets/decode-text';
import type { Xoshiro128 } from '$lib/config/random';
import { fuzzParser } from './fuzz-parser';
import { chance, pick } from './hostile';
import { mutateBytes } from './mutate-bytes';
import { mutateJson } from './mutate-json';
import { encodeText, mutateText } from './mutate-text';

const alpaca = { instruction: '翻译', input: 'sea', output: '海' };
const chat = {
  messages: [
    { role: 'user', content: 'hi' },
    { role: 'assistant', content: 'hello' },
  ],
};
const shareGpt = {
  system: 'be brief',
  conversations: [
    { from: 'human', value: '你好' },
    { from: 'gpt', value: '好' },
  ],
};
const withHistory = { ...alpaca, system: 'be brief', history: [['你好', '好']] };
const parts = [{ type: 'text', text: 'hi' }, 'there'];
const conversational = {
  prompt: [
    { role: 'system', content: 'be brief' },
    { role: 'user', content: parts },
  ],
  completion: [{ from: 'gpt', value: 'hello', tool_calls: null }],
};
const toolCall = {
  system: 'be brief',
  messages: [
    { role: 'user', content: 'hi', name: 'Li' },
    { role: 'assistant', content: null, tool_calls: [{ function: { name: 'f' } }] },
    { role: 'assistant', content: 'hello' },
  ],
};
const weighted = {
  messages: [
    { role: 'user', content: 'hi', train: false },
    { role: 'assistant', content: 'hey', weight: 0 },
    { role: 'user', content: 'and?' },
    { role: 'assistant', content: 'hello', weight: 1, loss: true },
  ],
};
const tokens = { input_ids: [1, 2, 3], labels: [-100, 2, 3] };
const foreign = { question: 'why?', answer: 'because', source: 'a book' };
const RECORDS = [
  [alpaca, alpaca, { ...alpaca, output: '' }],
  [chat, chat],
  [shareGpt],
  [tokens, tokens],
  [{ prompt: 'a', completion: 'b' }, { text: 'c' }],
  [foreign, foreign],
  [withHistory, alpaca],
  [conversational, { prompt: 'a', completion: 'b', system: 'c' }],
  [toolCall, chat],
  [weighted, { prompt: weighted.messages.slice(0, 3), completion: [weighted.messages[3]] }],
  [{ dialogue: JSON.stringify(chat.messages), rules: 'be brief' }],
];
const CSV = 'instruction,input,output\n"a ""b""\nc",你好,d\ne,f,g\nh,,i\n';
const CSV_WORDS = [',', '"', '""', '\n', '\r\n', '\r', ';', '\t', '|', '\x1e', '""",', ',"\n'];

const PROSE =
  '# 标题\n\nOnce upon a time,\nthere was 一块砚台。\r\n \r\n[1] Smith, 1999\n\n　　末段\n';
const PROSE_WORDS = [
  ...['\n', '\n\n', '\r\n', '\r', ' ', '\f', '　', '\u2028', '[', '[{"', '{"', '[1]', '"', ','],
  ...['<', '---\n', '<?xml', 'text\n', 'prompt,completion\n', '\uFEFF', '\0'],
];
const NAMES = ['rows.txt', 'rows.md', 'rows', 'rows.csv', 'rows.json', 'rows.yaml'];

const json = JSON.stringify(RECORDS[0]);
const jsonl = RECORDS[1].map((row) => JSON.stringify(row)).join('\n');

function mutateFile(random: Xoshiro128, file: Uint8Array): Uint8Array {
  switch (random.nextBelow(6)) {
    case 0:
      return mutateBytes(random, file);
    case 1:
      return encodeText(random, mutateText(random, CSV, CSV_WORDS));
    case 2:
      return encodeText(random, mutateJson(random, pick(random, RECORDS)));
    case 3:
      return encodeText(random, mutateJson(random, { version: 1, data: pick(random, RECORDS) }));
    case 4: {
      const gap = chance(random, 4) ? '\r\n' : '\n';
      const rows = pick(random, RECORDS).map((row) => mutateJson(random, row));
      return encodeText(random, rows.join(gap));
    }
    default:
      return encodeText(random, mutateText(random, JSON.stringify(pick(random, RECORDS), null, 2)));
  }
}

const isText = (value: unknown) => expect(typeof value).toBe('string');

function checkRow(row: DatasetRow): void {
  switch (row.kind) {
    case 'instruction':
      [row.instruction, row.input, row.output].forEach(isText);
      return expect(row.output.trim()).not.toBe('');
    case 'completion':
      return [row.prompt, row.completion].forEach(isText);
    case 'chat':
      for (const { role, content, noLoss } of row.messages) {
        expect(['system', 'user', 'assistant', 'tool']).toContain(role);
        isText(content);
        if (noLoss !== undefined)
          expect([role, ['weight', 'prompt'].includes(noLoss)]).toEqual(['assistant', true]);
      }
      return expect(row.messages.some(bearsLoss)).toBe(true);
    case 'text':
      return isText(row.text);
    case 'tokens':
      expect(row.labels).toHaveLength(row.inputIds.length);
      for (const id of row.inputIds) expect(id >= 0 && id < 2 ** 31).toBe(true);
  }
}

describe('hostile data sets', () => {
  it('are refused by code or become rows of the shape they promise, every problem with its row', async () => {
    const counts = await fuzzParser({
      title: 'data set',
      samples: [json, jsonl, CSV, ...RECORDS.slice(6, 10).map((rows) => JSON.stringify(rows))].map(
        (text) => new TextEncoder().encode(text),
      ),
      mutate: mutateFile,
      parse: (bytes) => readDataset(bytes, { fileName: 'rows' }),
      check(dataset) {
        dataset.rows.forEach(checkRow);
        expect(dataset.rowNumbers).toHaveLength(dataset.rows.length);
        for (const number of dataset.rowNumbers)
          expect(number >= 1 && number <= dataset.records.length).toBe(true);
        for (const { row, found, field } of dataset.problems) {
          expect(row >= 1 && row <= dataset.records.length).toBe(true);
          expect(found.length + field.length).toBeLessThan(1000);
        }
        expect(dataset.unusedColumns.length).toBeLessThanOrEqual(dataset.columns.length + 100);
      },
    });
    expect(counts.accepted).toBeGreaterThan(1000);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['corrupt', 'wrong-format', 'too-large']),
    );
  });

  it('in prose: rows hold every character that is no white space, in order, and none of them is blank', async () => {
    const withoutSpace = (text: string) => text.replace(/\s/g, '');
    let asText = 0;
    const counts = await fuzzParser({
      title: 'plain text',
      samples: [PROSE, 'a\nb\nc', CSV, jsonl].map((text): Uint8Array =>
        new TextEncoder().encode(text),
      ),
      mutate: (random, file) =>
        chance(random, 3)
          ? mutateBytes(random, file)
          : encodeText(random, mutateText(random, new TextDecoder().decode(file), PROSE_WORDS)),
      parse: (bytes) => {
        const fileName = NAMES[(bytes.length + (bytes.at(-1) ?? 0)) % NAMES.length];
        return {
          fileName,
          bytes,
          dataset: readDataset(bytes, { fileName }),
        };
      },
      check({ fileName, bytes, dataset }) {
        dataset.rows.forEach(checkRow);
        if (dataset.format !== 'text') return;
        asText++;
        expect(['rows.txt', 'rows.md', 'rows']).toContain(fileName);
        const texts = dataset.rows.map((row) => (row.kind === 'text' ? row.text : ''));
        for (const text of texts)
          expect([text.trim() === '', text.includes('\r')]).toEqual([false, false]);
        const { text } = decodeText(bytes, fileName);
        expect(withoutSpace(texts.join(''))).toBe(withoutSpace(text));
        expect(dataset.problems).toEqual([]);
      },
    });
    expect(asText).toBeGreaterThan(1000);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['corrupt', 'wrong-format']),
    );
  });

  it('mapped by any choice of columns are refused by code or become such rows', async () => {
    await fuzzParser({
      title: 'column mapping',
      samples: [json, ...[3, 5, 6, 7, 9, 10].map((i) => JSON.stringify(RECORDS[i]))],
      mutate: (random, text) => mutateJson(random, JSON.parse(text)),
      parse(text) {
        const { records, columns } = readDataset(text, { fileName: 'rows' });
        const suggested = suggestMapping(columns);
        const chosen = { instruction: columns[0], output: columns.at(-1) };
        const talk = { messages: columns[0], system: columns.at(-1) };
        const ids = { input_ids: columns[0], labels: columns.at(-1) };
        return [suggested, chosen, talk, ids].map((mapping) => applyMapping(records, mapping));
      },
      check: (mapped) => mapped.forEach(({ rows }) => rows.forEach(checkRow)),
    });
  });
});
