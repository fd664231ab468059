/** Data sets from file to rows. One long file, because every format is held to the same tables of rows and refusals. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyMapping,
  FormatError,
  MAX_DATASET_BYTES,
  MAX_ROWS,
  readDataset,
  suggestMapping,
  writeAlpacaJson,
  type DatasetRow,
} from '$lib/formats';
import { explainError } from '$lib/i18n';
import { catchError, expectFormatError } from './expect-error';

const utf8 = (text: string) => new TextEncoder().encode(text);
const read = (source: string | Uint8Array) => readDataset(source, { fileName: 'data' });
/** A name that promises a table, so that prose is none of it. */
const readTable = (source: string | Uint8Array) => readDataset(source, { fileName: 'data.csv' });
const readJson = (rows: unknown) => read(JSON.stringify(rows));

const alpaca = { instruction: '翻译成英文', input: '你好', output: 'Hello' };
const alpacaRow: DatasetRow = { kind: 'instruction', ...alpaca };

describe('dataset formats, by content', () => {
  const other = { instruction: 'Add', input: '', output: '3' };
  const rows = [alpacaRow, { kind: 'instruction', ...other }];

  it('a JSON array, compact or pretty', () => {
    for (const space of [undefined, 2]) {
      const dataset = read(JSON.stringify([alpaca, other], undefined, space));
      expect(dataset).toMatchObject({ format: 'json', schema: 'alpaca', rows, problems: [] });
      expect(dataset.rowNumbers).toEqual([1, 2]);
    }
  });

  it('JSON lines, with blank lines, CRLF or no line break at the end', () => {
    const lines = [JSON.stringify(alpaca), JSON.stringify(other)];
    for (const text of [
      lines.join('\n'),
      `${lines.join('\r\n')}\r\n`,
      `\n\n${lines.join('\n\n')}\n`,
    ]) {
      expect(read(text)).toMatchObject({ format: 'jsonl', rows });
    }
    expect(read(lines[0])).toMatchObject({ format: 'jsonl', rows: [alpacaRow] });
  });

  it('pretty-printed objects one after another', () => {
    const text = [alpaca, other].map((row) => JSON.stringify(row, undefined, 2)).join('\n');
    expect(read(text)).toMatchObject({ format: 'jsonl', rows });
  });

  it('one object that holds the rows, and one object that is the row', () => {
    for (const space of [undefined, 2]) {
      const wrapped = JSON.stringify({ version: 1, data: [alpaca, other] }, undefined, space);
      expect(read(wrapped)).toMatchObject({ format: 'json', rows });
      expect(read(JSON.stringify(alpaca, undefined, space)).rows).toEqual([alpacaRow]);
      const chat = {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: 'b' },
        ],
      };
      expect(read(JSON.stringify(chat, undefined, space)).rows).toHaveLength(1);
    }
  });

  it('CSV with quotes, line breaks in cells, commas, semicolons or tabs', () => {
    for (const separator of [',', ';', '\t']) {
      const table = [
        ['instruction', 'input', 'output'],
        ['"翻译成英文"', '你好', 'Hello'],
        ['Add', '""', '"a ""quoted""\nline"'],
      ];
      const text = table.map((line) => line.join(separator)).join('\r\n');
      const dataset = read(`${text}\r\n`);
      expect(dataset).toMatchObject({ format: 'csv', schema: 'alpaca', problems: [] });
      expect(dataset.rows[0]).toEqual(alpacaRow);
      expect(dataset.rows[1]).toMatchObject({ output: 'a "quoted"\nline' });
    }
  });

  it('CSV of one column only where it is called text', () => {
    expect(read('text\n你好\nhello').rows).toEqual([
      { kind: 'text', text: '你好' },
      { kind: 'text', text: 'hello' },
    ]);
    const story = 'A story.\nIt was a dark night.';
    expectFormatError(() => readTable(story), 'wrong-format', /plain text/);
  });
});

describe('dataset encodings', () => {
  const text = JSON.stringify([alpaca]);
  const wide = (bigEndian: boolean, mark: boolean) => {
    const units = [...(mark ? [0xfeff] : []), ...Array.from(text, (c) => c.charCodeAt(0))];
    return Uint8Array.from(
      units.flatMap((u) => (bigEndian ? [u >> 8, u & 255] : [u & 255, u >> 8])),
    );
  };

  it('UTF-8 and UTF-16, with and without a byte order mark', () => {
    const cases: [Uint8Array, string][] = [
      [utf8(text), 'utf-8'],
      [utf8(`\uFEFF${text}`), 'utf-8'],
      [wide(false, true), 'utf-16le'],
      [wide(true, true), 'utf-16be'],
      [wide(false, false), 'utf-16le'],
      [wide(true, false), 'utf-16be'],
    ];
    for (const [bytes, encoding] of cases) {
      expect(read(bytes)).toMatchObject({ encoding, rows: [alpacaRow] });
    }
    expect(read(`\uFEFF${text}`).rows).toEqual([alpacaRow]);
  });

  it('GB18030, as Chinese spreadsheets save CSV', () => {
    // "问题,答案\n你好,好" in GB18030.
    const bytes = Uint8Array.of(
      ...[0xce, 0xca, 0xcc, 0xe2, 0x2c, 0xb4, 0xf0, 0xb0, 0xb8, 0x0a],
      ...[0xc4, 0xe3, 0xba, 0xc3, 0x2c, 0xba, 0xc3],
    );
    expect(read(bytes)).toMatchObject({ encoding: 'gb18030', columns: ['问题', '答案'] });
  });
});

describe('dataset schemas', () => {
  it('prompt and completion', () => {
    expect(readJson([{ prompt: 'a', completion: ' b' }])).toMatchObject({
      schema: 'prompt-completion',
      rows: [{ kind: 'completion', prompt: 'a', completion: ' b' }],
    });
  });

  it('chat messages', () => {
    const messages = [
      { role: 'system', content: '你是助手' },
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ];
    expect(readJson([{ messages }])).toMatchObject({
      schema: 'messages',
      rows: [{ kind: 'chat', messages }],
    });
  });

  it('ShareGPT conversations, with their speakers as roles and the system text first', () => {
    const conversations = [
      { from: 'human', value: 'a' },
      { from: 'gpt', value: 'b' },
      { from: 'observation', value: 'c' },
    ];
    expect(readJson([{ conversations, system: 's' }])).toMatchObject({
      schema: 'sharegpt',
      rows: [
        {
          kind: 'chat',
          messages: [
            { role: 'system', content: 's' },
            { role: 'user', content: 'a' },
            { role: 'assistant', content: 'b' },
            { role: 'tool', content: 'c' },
          ],
        },
      ],
    });
  });

  it('plain text', () => {
    expect(readJson([{ text: '春眠不觉晓' }])).toMatchObject({ schema: 'text' });
  });

  it('token ids; labels are the ids where there are none', () => {
    expect(readJson([{ input_ids: [1, 2], labels: [-100, 2] }, { input_ids: [3] }])).toMatchObject({
      schema: 'tokens',
      rows: [
        { kind: 'tokens', inputIds: [1, 2], labels: [-100, 2] },
        { kind: 'tokens', inputIds: [3], labels: [3] },
      ],
    });
  });

  it('unknown fields do not throw: the columns are there for a mapping', () => {
    const dataset = readJson([{ q: 'a' }, { q: 'b', z: 1 }]);
    expect(dataset).toMatchObject({ schema: 'unknown', columns: ['q', 'z'], rows: [] });
    expect(dataset.records).toHaveLength(2);
  });

  it('says which columns are not read', () => {
    expect(readJson([{ ...alpaca, source: 'a', id: 7 }]).unusedColumns).toEqual(['source', 'id']);
    expect(readJson([alpaca]).unusedColumns).toEqual([]);
  });
});

describe('rows that cannot be trained on', () => {
  const problemOf = (row: unknown, good: unknown = alpaca) => {
    const dataset = readJson([good, row]);
    expect(dataset.rows).toHaveLength(1);
    expect(dataset.problems).toHaveLength(1);
    expect(dataset.problems[0].row).toBe(2);
    const { field, kind, found } = dataset.problems[0];
    return `${field} ${kind}: ${found}`;
  };

  it('a good row has no problem (control)', () => {
    expect(readJson([alpaca, alpaca]).problems).toEqual([]);
    expect(readJson([{ ...alpaca, input: null }]).problems).toEqual([]);
  });

  it('are named with row, field and what was found', () => {
    expect(problemOf({ ...alpaca, output: '' })).toBe('output empty-output: ""');
    expect(problemOf({ ...alpaca, output: ' \n' })).toBe('output empty-output: " \\n"');
    expect(problemOf({ ...alpaca, instruction: '' })).toBe('instruction empty-field: ""');
    expect(problemOf({ ...alpaca, output: 3 })).toBe('output wrong-type: a number: 3');
    expect(problemOf({ ...alpaca, input: ['x'] })).toBe('input wrong-type: a list: ["x"]');
    expect(problemOf({ instruction: 'a' })).toBe('output missing-field: nothing');
    expect(problemOf({})).toBe(' empty-row: nothing');
    expect(problemOf({ instruction: '', output: '' })).toBe(' empty-row: nothing');
    expect(problemOf('text')).toBe(' not-an-object: text');
    expect(problemOf(null)).toBe(' not-an-object: null');
  });

  it('in chats, down to the turn', () => {
    const chat = (...messages: unknown[]) => ({ messages });
    const user = { role: 'user', content: 'a' };
    const assistant = { role: 'assistant', content: 'b' };
    const of = (row: unknown) => problemOf(row, chat(user, assistant));
    expect(of(chat(user, { role: 'wizard', content: 'b' }))).toBe(
      'messages[1].role unknown-role: "wizard"',
    );
    expect(of(chat(user, { role: 'assistant', content: '' }))).toBe(
      'messages[1].content empty-output: ""',
    );
    expect(of(chat(user, { role: 'assistant' }))).toBe(
      'messages[1].content missing-field: nothing',
    );
    expect(of(chat(user, 'b'))).toBe('messages[1] wrong-type: text: "b"');
    expect(of(chat(user))).toBe('messages no-answer: 1 turns without an assistant');
    expect(of(chat())).toBe('messages empty-field: []');
    expect(of({ messages: 'a' })).toBe('messages wrong-type: text: "a"');
  });

  it('in token rows', () => {
    const of = (row: unknown) => problemOf(row, { input_ids: [1], labels: [1] });
    expect(of({ input_ids: [1, 2], labels: [1] })).toBe('labels length-mismatch: 1 for 2 ids');
    expect(of({ input_ids: [1.5], labels: [1] })).toBe('input_ids[0] wrong-type: a number: 1.5');
    expect(of({ input_ids: [-1], labels: [1] })).toBe('input_ids[0] out-of-range: -1');
    expect(of({ input_ids: [1], labels: [-2] })).toBe('labels[0] out-of-range: -2');
    expect(of({ input_ids: [2 ** 31], labels: [1] })).toBe('input_ids[0] out-of-range: 2147483648');
    expect(of({ input_ids: [1], labels: [-100] })).toBe('labels empty-output: [-100]');
    expect(of({ input_ids: [], labels: [] })).toBe('input_ids empty-field: []');
  });

  it('in JSON lines: a broken line is a problem of its row', () => {
    const good = JSON.stringify(alpaca);
    const dataset = read([good, '{"instruction": "a"', good].join('\n'));
    expect(dataset.rowNumbers).toEqual([1, 3]);
    expect(dataset.problems).toEqual([
      { row: 2, field: '', kind: 'not-json', found: '"{\\"instruction\\": \\"a\\""' },
    ]);
  });

  it('in CSV: short, long and blank lines', () => {
    const dataset = read('instruction,input,output\na,,b\nc,d\n,,\na,b,c,d\ne,,f\n');
    expect(dataset.rowNumbers).toEqual([1, 5]);
    expect(dataset.problems).toEqual([
      { row: 2, field: 'output', kind: 'missing-field', found: '2 cells where the header has 3' },
      { row: 3, field: '', kind: 'empty-row', found: 'nothing' },
      { row: 4, field: '', kind: 'extra-fields', found: '4 cells where the header has 3' },
    ]);
  });
});

describe('files that are no dataset', () => {
  it('are refused with one sentence: what it seems to be, what is allowed', () => {
    const seems: [string | Uint8Array, RegExp][] = [
      ['<!DOCTYPE html><html></html>', /seems to be an HTML page/],
      ['<?xml version="1.0"?><a/>', /an XML document/],
      ['version https://git-lfs.github.com/spec/v1\noid sha256:1', /Git LFS pointer/],
      ['Once upon a time, there was a text.', /plain text/],
      [utf8('%PDF-1.7'), /a PDF document/],
      [Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0), /zip archive or an Office document/],
      [Uint8Array.of(0x1f, 0x8b, 8), /gzip/],
      [utf8('PAR1xxxx'), /Parquet/],
      [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d), /PNG/],
      [Uint8Array.of(1, 0, 0, 0, 2, 3, 0, 0xff, 0xfe, 0x80), /binary file/],
    ];
    for (const [source, says] of seems) {
      expectFormatError(() => readTable(source), 'wrong-format', says);
      expectFormatError(
        () => readTable(source),
        'wrong-format',
        /a JSON array, JSONL .* or CSV .* is allowed/,
      );
    }
    expectFormatError(() => read(' \n'), 'wrong-format', /data is empty/);
  });

  it('broken JSON is named by row and line', () => {
    const good = JSON.stringify(alpaca);
    const broken: [string, RegExp][] = [
      [`[\n${good},\n{"instruction": tru}\n]`, /broken JSON at row 2, line 3: found "\{/],
      [`[\n${good}\n${good}]`, /row 2, line 3/],
      [`[${good},]`, /row 2, line 1: found "\]"/],
      [`[${good}`, /row 2, line 1: found the end of the file/],
      [`[${good}] x`, /row 1, line 1: found "x"/],
      ['[', /found the end of the file/],
    ];
    expect(read(`[\n${good},\n${good}\n]`).rows).toHaveLength(2);
    expect(read('[]').rows).toEqual([]);
    for (const [text, says] of broken) expectFormatError(() => read(text), 'corrupt', says);
    // In Chinese the sentence is another, of the same row and line.
    const error = catchError(() => read(broken[0][0]));
    expect(explainError(error, 'zh-CN').sentence).toBe(
      'data 的第 2 条（文件第 3 行）不是完整的 JSON；请改正后再放进来。',
    );
  });

  it('JSON lines of which most are broken are refused as a file', () => {
    expectFormatError(() => read('{"a":1}\n{b}\n{c}'), 'corrupt', /2 of its 3 lines.*row 2/);
  });

  it('two columns of one name are refused', () => {
    expect(read('a,b\n1,2').columns).toEqual(['a', 'b']);
    expectFormatError(() => read('a,a\n1,2'), 'corrupt', /two columns named "a"/);
  });
});

describe('dataset limits', () => {
  it('size, before anything is decoded', () => {
    const bytes = new Uint8Array(MAX_DATASET_BYTES + 1);
    expectFormatError(() => read(bytes), 'too-large', /512000001 bytes; at most 512000000/);
  });

  it('rows, in each format', () => {
    const many = MAX_ROWS + 1;
    expect(read(`[${'{},'.repeat(9)}{}]`).records).toHaveLength(10);
    expectFormatError(
      () => read(`[${'0,'.repeat(many - 1)}0]`),
      'too-large',
      /more than 1000000 rows/,
    );
    expectFormatError(() => read('{}\n'.repeat(many)), 'too-large', /more than 1000000 rows/);
    expectFormatError(() => read(`a,b\n${'1,2\n'.repeat(many)}`), 'too-large', /1000000 rows/);
  });

  it('depth', () => {
    const nested = (depth: number) => `[{"a":${'['.repeat(depth)}${']'.repeat(depth)}}]`;
    expect(read(nested(60)).columns).toEqual(['a']);
    expectFormatError(() => read(nested(100_000)), 'too-large', /deeper than 64/);
    const line = `{"a":${'['.repeat(100_000)}`;
    expect(read(`{"a":1}\n{"a":1}\n${line}`).problems[0].found).toMatch(/deeper than 64/);
  });

  it('columns', () => {
    const header = Array.from({ length: 1001 }, (_, i) => `c${i}`).join(',');
    expectFormatError(() => readTable(`${header}\n${header}`), 'wrong-format', /plain text/);
  });
});

describe('mapping', () => {
  it('is suggested for usual names in English and Chinese', () => {
    const cases: [string[], object][] = [
      [['question', 'answer'], { instruction: 'question', output: 'answer' }],
      [
        ['Question', 'Context', 'Answer'],
        { instruction: 'Question', input: 'Context', output: 'Answer' },
      ],
      [['id', 'query', 'response'], { instruction: 'query', output: 'response' }],
      [
        ['prompt', 'chosen_response', 'completion'],
        { instruction: 'prompt', output: 'completion' },
      ],
      [['问题', '回答'], { instruction: '问题', output: '回答' }],
      [['指令', '输入', '输出'], { instruction: '指令', input: '输入', output: '输出' }],
      [['题目', '答案'], { instruction: '题目', output: '答案' }],
      [['input', 'output'], { instruction: 'input', output: 'output' }],
      [['content'], { text: 'content' }],
      [['token_ids', 'mask'], { input_ids: 'token_ids' }],
      [['ids', 'target_ids'], { input_ids: 'ids', labels: 'target_ids' }],
      [['content', 'ids'], { text: 'content' }],
      [['a column', 'another'], {}],
      [['question'], {}],
      [[], {}],
    ];
    for (const [columns, expected] of cases) expect(suggestMapping(columns)).toEqual(expected);
  });

  it('reads the records under our names and reports problems under ours', () => {
    const { records } = read('问题,答案,来源\n一加一,二,书\n二加二,,书');
    const mapped = applyMapping(records, { instruction: '问题', output: '答案' });
    expect(mapped).toMatchObject({
      schema: 'alpaca',
      rows: [{ kind: 'instruction', instruction: '一加一', input: '', output: '二' }],
      rowNumbers: [1],
      problems: [{ row: 2, field: 'output', kind: 'empty-output' }],
      unusedColumns: ['来源'],
    });
  });

  it('reads token ids under other names, with the checks of those under ours', () => {
    const good = { ids: [1, 2], targets: [-100, 2], mask: [1, 1] };
    const wrong = [
      { ids: [1, 2], targets: [1] },
      { ids: [1.5, 2], targets: [1, 2] },
      { ids: [-1, 2], targets: [1, 2] },
      { ids: [1, 2], targets: [-2, 2] },
      { ids: [1, 2], targets: [-100, -100] },
      { ids: [], targets: [] },
      { ids: '1 2', targets: [1, 2] },
      { targets: [1, 2] },
    ];
    const { records } = readJson([good, ...wrong]);
    const mapped = applyMapping(records, { input_ids: 'ids', labels: 'targets' });
    expect(mapped).toMatchObject({
      schema: 'tokens',
      rows: [{ kind: 'tokens', inputIds: [1, 2], labels: [-100, 2] }],
      rowNumbers: [1],
      unusedColumns: ['mask'],
    });
    const named = [good, ...wrong].map(
      ({ ids, targets }: { ids?: unknown; targets?: unknown }) => ({
        ...(ids !== undefined && { input_ids: ids }),
        labels: targets,
      }),
    );
    expect(mapped.problems).toEqual(readJson(named).problems);
    expect(mapped.problems).toHaveLength(wrong.length);
    // Without labels the ids are learned.
    expect(applyMapping(records.slice(0, 1), { input_ids: 'ids' }).rows).toEqual([
      { kind: 'tokens', inputIds: [1, 2], labels: [1, 2] },
    ]);
    expectFormatError(
      () => applyMapping(records, { labels: 'targets' }),
      'invalid-value',
      /gives labels; .* or input_ids are needed/,
    );
  });

  it('refuses columns and fields that are not there, and mappings without a target', () => {
    const { records } = read('a,b\n1,2');
    expect(applyMapping(records, { instruction: 'a', output: 'b' }).rows).toHaveLength(1);
    expectFormatError(
      () => applyMapping(records, { instruction: 'a', output: 'c' }),
      'not-found',
      /no column "c"; it has "a", "b"/,
    );
    expectFormatError(
      () => applyMapping(records, { instruction: 'a' }),
      'invalid-value',
      /gives instruction; instruction and output/,
    );
    const wrong = { instuction: 'a', output: 'b' } as object;
    expectFormatError(() => applyMapping(records, wrong), 'invalid-value', /field "instuction"/);
  });
});

describe('writeAlpacaJson', () => {
  it('writes what readDataset reads back', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((value) => value.trim() !== '');
    const row = fc.record({
      kind: fc.constant('instruction' as const),
      instruction: text,
      input: fc.string({ unit: 'grapheme' }),
      output: text,
    });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1 }), (rows) => {
        expect(read(writeAlpacaJson(rows)).rows).toEqual(rows);
      }),
    );
  });

  it('takes completions as instructions, and refuses rows that do not fit', () => {
    const completion: DatasetRow = { kind: 'completion', prompt: 'a', completion: 'b' };
    expect(JSON.parse(writeAlpacaJson([completion]))).toEqual([
      { instruction: 'a', input: '', output: 'b' },
    ]);
    expectFormatError(
      () => writeAlpacaJson([completion, { kind: 'text', text: 'a' }]),
      'invalid-value',
      /row 2 is of kind text/,
    );
  });
});

describe('hostile datasets', () => {
  it('survives any text and any JSON, and mapping whatever it finds', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: 'binary' })), (text) => {
        try {
          const { records, columns } = read(text);
          applyMapping(records, suggestMapping(columns));
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('does not let a field reach a prototype', () => {
    const dataset = read('[{"__proto__":{"text":"x"},"text":"a"}]');
    expect(dataset.columns).toEqual(['__proto__', 'text']);
    expect(dataset.rows).toEqual([{ kind: 'text', text: 'a' }]);
    const { records } = read('__proto__,output\na,b');
    const mapped = applyMapping(records, { instruction: '__proto__', output: 'output' });
    expect(mapped.rows[0]).toMatchObject({ instruction: 'a' });
  });

  it('stays linear on quotes and backslashes without end', () => {
    for (const text of [
      `["${'\\'.repeat(1_000_000)}`,
      `[${'"a",'.repeat(300_000)}`,
      `{"a":"${'\\"'.repeat(500_000)}`,
      `a,b\n${'"'.repeat(1_000_001)}`,
      `${'['.repeat(500_000)}`,
      `${'{'.repeat(500_000)}`,
    ]) {
      const started = performance.now();
      expect(() => readTable(text)).toThrow(FormatError);
      expect(performance.now() - started).toBeLessThan(10_000);
    }
  });
});
