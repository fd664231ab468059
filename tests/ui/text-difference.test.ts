/** Plan: what an answer shares with its reference is found in words and in characters, and nothing is lost. */
import { expect, test } from 'vitest';
import type { EvaluationReport } from '../../src/lib/rpc/engine-api';
import { toCsv } from '../../src/lib/state/report-files';
import { agrees, markDifferences } from '../../src/lib/state/text-difference';

const marked = (answer: string, reference: string): string =>
  markDifferences(answer, reference)
    .map((part) => (part.inReference ? part.text : `[${part.text}]`))
    .join('');

test.each([
  ['rest and drink water', 'rest and drink water', 'rest and drink water'],
  ['rest or drink tea', 'rest and drink water', 'rest [or ]drink [tea]'],
  ['多喝冷水', '多喝温水', '多喝[冷]水'],
  ['', 'water', ''],
  ['tea', '', '[tea]'],
])('%j against %j', (answer, reference, expected) => {
  expect(marked(answer, reference)).toBe(expected);
});

test('no text is lost, even past the limit of the table', () => {
  const long = 'word '.repeat(2000);
  expect(
    markDifferences(long, `${long}x`)
      .map((part) => part.text)
      .join(''),
  ).toBe(long);
});

test.each([
  ['呼吸内科。', '呼吸内科', true],
  ['Rest,  please.', 'rest, please', true],
  ['tea', 'water', false],
])('%j agrees with %j: %s', (answer, reference, expected) => {
  expect(agrees(answer, reference)).toBe(expected);
});

test('CSV: quotes and line ends survive, and a cell never becomes a formula', () => {
  const report = {
    rows: [{ instruction: 'say "a"\nthen b', input: '', reference: '=1+1', answers: ['你好'] }],
  } as unknown as EvaluationReport;
  expect(toCsv(report, ['base'])).toBe(
    '\ufeffinstruction,input,reference,base\r\n"say ""a""\nthen b",,\'=1+1,你好\r\n',
  );
});
