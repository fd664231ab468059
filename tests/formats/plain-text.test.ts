/**
 * Plan: prose becomes rows of text, by paragraphs where blank lines divide it and by lines where none do, whatever
 * its line ends and its encoding. A name that says text is not taken for JSON or a table by a bracket or commas, and
 * is where the content is plainly that. A name that promises a table or JSON keeps its promise. Bounds hold.
 */
import { describe, expect, it } from 'vitest';
import { MAX_ROWS, readDataset } from '$lib/formats';
import { expectFormatError } from './expect-error';

const read = (source: string | Uint8Array, fileName = 'notes.txt') =>
  readDataset(source, { fileName });
const textsOf = (source: string | Uint8Array, fileName?: string) => {
  const { rows, problems, format, schema, columns } = read(source, fileName);
  expect({ problems, format, schema, columns }).toEqual({
    problems: [],
    format: 'text',
    schema: 'text',
    columns: ['text'],
  });
  return rows.map((row) => (row.kind === 'text' ? row.text : row.kind));
};

describe('prose', () => {
  it('has a row a paragraph where blank lines divide it', () => {
    expect(textsOf('One.\nStill one.\n\nTwo.\n \t\n\n\nThree.\n')).toEqual([
      'One.\nStill one.',
      'Two.',
      'Three.',
    ]);
    expect(textsOf('春眠不觉晓，\n处处闻啼鸟。\n　\n夜来风雨声，\n花落知多少。')).toHaveLength(2);
  });

  it('has a row a line where no blank line stands between lines', () => {
    expect(textsOf('One.\nTwo.\nThree.')).toEqual(['One.', 'Two.', 'Three.']);
    // Blank lines at its ends divide nothing.
    expect(textsOf('\n\n  One.\nTwo.  \n\n')).toEqual(['  One.', 'Two.']);
    expect(textsOf('One line alone')).toEqual(['One line alone']);
  });

  it('keeps an indent and the breaks within a paragraph, whatever ends a line', () => {
    const rows = ['  a\n    b', '　　第二段'];
    for (const end of ['\n', '\r\n', '\r'])
      expect(textsOf(`${rows.join('\n\n')}\n`.replaceAll('\n', end))).toEqual(rows);
  });

  it('in UTF-8, UTF-16 and GB18030, with a mark or without', () => {
    const text = '你好 one\n\n再见 two';
    const wide = Uint8Array.from(
      Array.from(`\uFEFF${text}`, (c) => c.charCodeAt(0)).flatMap((u) => [u & 255, u >> 8]),
    );
    // "你好\n\n再见" in GB18030.
    const chinese = Uint8Array.of(0xc4, 0xe3, 0xba, 0xc3, 10, 10, 0xd4, 0xd9, 0xbc, 0xfb);
    expect(textsOf(new TextEncoder().encode(text))).toEqual(['你好 one', '再见 two']);
    expect(textsOf(new TextEncoder().encode(`\uFEFF${text}`))).toEqual(['你好 one', '再见 two']);
    expect(textsOf(wide)).toEqual(['你好 one', '再见 two']);
    expect(textsOf(chinese)).toEqual(['你好', '再见']);
  });

  it('in files of any name that promises nothing else', () => {
    for (const name of ['a.md', 'a.MARKDOWN', 'a.text', 'a.TXT', 'a.log', 'poem', 'a.b c'])
      expect(textsOf('Once upon a time.\n\nThe end.', name)).toHaveLength(2);
  });
});

describe('what a text file may look like and is not', () => {
  it('a bracket is no JSON without its syntax', () => {
    for (const text of [
      '[Verse 1]\nla la',
      '[1] Smith, J. Works.\n[2] Li, H. Works.',
      '[ ] buy milk',
      '["quoted"] he said',
      '{curly} words',
      '[[wiki link]] and more',
    ])
      expect(textsOf(text)[0]).toBe(text.split('\n')[0]);
  });

  it('commas are no table without known names', () => {
    const prose = 'Dear Ann, dear Bob,\nhello, both,\ngood, bye,';
    expect(textsOf(prose)).toHaveLength(3);
    expect(textsOf('name,age\nAnn,3\nBob,4')).toHaveLength(3);
    // Control: a name that promises nothing leaves it to the content, as ever.
    expect(read('name,age\nAnn,3', 'people')).toMatchObject({ format: 'csv', schema: 'unknown' });
  });

  it('Markdown begins with front matter, a tag or a heading', () => {
    for (const start of ['---\ntitle: a\n---', '<p align="center">x</p>', '# Title', '- a\n- b'])
      expect(textsOf(`${start}\n\nWords.`, 'README.md')).toEqual([start, 'Words.']);
  });
});

describe('what a text file may hold all the same', () => {
  it('JSON, JSON lines and a table of known names', () => {
    const row = { instruction: 'a', input: '', output: 'b' };
    const rows = [{ kind: 'instruction', ...row }];
    expect(read(`[ ${JSON.stringify(row)} ]`)).toMatchObject({ format: 'json', rows });
    expect(read(JSON.stringify(row))).toMatchObject({ format: 'jsonl', rows });
    expect(read('instruction\tinput\toutput\na\t\tb')).toMatchObject({ format: 'csv', rows });
    expect(read('text\nhello')).toMatchObject({ rows: [{ kind: 'text', text: 'hello' }] });
    expectFormatError(() => read('[{"instruction": tru}]'), 'corrupt', /broken JSON at row 1/);
  });

  it('JSON that somebody wrote by hand, refused by its row', () => {
    for (const text of [
      "[{'instruction': 'a', 'output': 'b'}]",
      '[ // my rows\n {"instruction": "a", "output": "b"}]',
      '[{instruction: "a"}]',
    ])
      expectFormatError(() => read(text), 'corrupt', /broken JSON at row 1/);
    expect(read('[["q", "a"]]')).toMatchObject({ format: 'json', rows: [] });
  });

  it('a table of other names, as spreadsheets save one: its columns are asked for', () => {
    const wide = Uint8Array.from(
      Array.from('\uFEFF问题\t答案\r\n你好\t您好\r\n再见\t慢走\r\n', (c) =>
        c.charCodeAt(0),
      ).flatMap((u) => [u & 255, u >> 8]),
    );
    for (const source of [wide, 'a\tb\n1\t2\n3\t4', 'question,answer\nWho?,Ann\nWhat?,Bob'])
      expect(read(source)).toMatchObject({ format: 'csv', schema: 'unknown', rows: [] });
    // Tabs in a few lines, and a question among commas, are prose all the same.
    expect(textsOf('a\tb\nno tab\nnone\neither')).toHaveLength(4);
    expect(textsOf('Any question, friend?\nNo, none.\nGood, then.')).toHaveLength(3);
  });

  it('known names over lines that are no table are prose', () => {
    expect(textsOf('prompt,completion\nA sentence.\nAnother one.\nA third.')).toHaveLength(4);
  });

  it('what is plainly something else is refused', () => {
    const refused: [string, RegExp][] = [
      ['<!DOCTYPE html><html></html>', /notes\.txt seems to be an HTML page/],
      ['<?xml version="1.0"?><a/>', /an XML document/],
      ['version https://git-lfs.github.com/spec/v1\noid sha256:1', /Git LFS pointer/],
      ['%PDF-1.7', /a PDF document/],
      ['a\0b', /binary file/],
    ];
    for (const [text, says] of refused)
      expectFormatError(() => read(new TextEncoder().encode(text)), 'wrong-format', says);
    expectFormatError(() => read(' \n\r\n'), 'wrong-format', /notes\.txt is empty/);
  });

  it('a name that promises a table, JSON or settings is held to it', () => {
    for (const name of ['a.csv', 'a.tsv', 'a.json', 'a.jsonl', 'a.ndjson'])
      expectFormatError(
        () => read('Once upon a time.\n\nThe end.', name),
        'wrong-format',
        /seems to be plain text; .* or plain text \(\.txt, \.md\), is allowed/,
      );
    expectFormatError(() => read('r: 8\nlearning_rate: 2e-4', 'a.yml'), 'wrong-format', /YAML/);
  });
});

describe('bounds', () => {
  it('of rows', () => {
    expect(read('a\n'.repeat(10)).rows).toHaveLength(10);
    expectFormatError(() => read('a\n'.repeat(MAX_ROWS + 1)), 'too-large', /more than 1000000/);
    expectFormatError(() => read('a\n\n'.repeat(MAX_ROWS + 1)), 'too-large', /more than 1000000/);
  });

  it('stays linear on blanks, quotes and brackets without end', () => {
    const million = 1_000_000;
    for (const text of [
      `a${'\n'.repeat(million)}b`,
      `a\n${' '.repeat(million)}b${'\n '.repeat(million)}`,
      `a\r${'\r\n'.repeat(million)}b`,
      '"'.repeat(million + 1),
      `[${' '.repeat(million)}{`,
      `text,"${'x'.repeat(million)}`,
    ]) {
      const started = performance.now();
      expect(read(text).rows.length).toBeGreaterThan(0);
      expect(performance.now() - started).toBeLessThan(10_000);
    }
  });
});
