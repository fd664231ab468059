import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDuplicates, findOverlap, splitRows, type DatasetRow } from '$lib/formats';
import { expectFormatError } from './expect-error';

const text = (value: string): DatasetRow => ({ kind: 'text', text: value });
const texts = (count: number) => Array.from({ length: count }, (_, i) => text(`row ${i}`));

describe('findDuplicates', () => {
  it('groups rows that differ only in white space and Unicode form', () => {
    const rows = [text('a  b'), text('c'), text(' a b\n'), text('é'), text('e\u0301'), text('A b')];
    expect(findDuplicates(rows)).toEqual([
      [0, 2],
      [3, 4],
    ]);
    expect(findDuplicates(texts(5))).toEqual([]);
  });

  it('tells apart rows whose fields only join to the same text', () => {
    const row = (prompt: string, completion: string): DatasetRow => ({
      kind: 'completion',
      prompt,
      completion,
    });
    expect(findDuplicates([row('a', 'b c'), row('a b', 'c'), row('a","b', 'c')])).toEqual([]);
    expect(findDuplicates([row('a', 'b'), row('a', 'b')])).toEqual([[0, 1]]);
    expect(
      findDuplicates([text('a'), { kind: 'completion', prompt: 'a', completion: '' }]),
    ).toEqual([]);
  });

  it('compares chats turn by turn and token rows id by id', () => {
    const chat = (...contents: string[]): DatasetRow => ({
      kind: 'chat',
      messages: contents.map((content) => ({ role: 'user', content })),
    });
    const tokens = (...ids: number[]): DatasetRow => ({
      kind: 'tokens',
      inputIds: ids,
      labels: ids,
    });
    const rows = [
      chat('a', 'b'),
      chat('a b'),
      chat('a', 'b'),
      tokens(1, 2),
      tokens(12),
      tokens(1, 2),
    ];
    expect(findDuplicates(rows)).toEqual([
      [0, 2],
      [3, 5],
    ]);
  });
});

describe('rows that teach something else', () => {
  const chat = (noLoss?: 'weight' | 'prompt'): DatasetRow => ({
    kind: 'chat',
    messages: [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b', ...(noLoss && { noLoss }) },
      { role: 'assistant', content: 'c' },
    ],
  });

  it('are not the same, though they read the same', () => {
    expect(findDuplicates([chat(), chat('weight'), chat('prompt'), chat('weight')])).toEqual([
      [1, 3],
    ]);
  });
});

describe('findOverlap', () => {
  it('names the evaluation rows that training has seen', () => {
    expect(findOverlap(texts(3), [text('row 1'), text('new'), text(' row  2 ')])).toEqual([0, 2]);
    expect(findOverlap(texts(3), [text('new')])).toEqual([]);
  });
});

describe('splitRows', () => {
  it('is the same for the same seed, on every machine', () => {
    const { evaluation } = splitRows(texts(20), { evalShare: 0.25, seed: 42 });
    expect(evaluation).toEqual(splitRows(texts(20), { evalShare: 0.25, seed: 42 }).evaluation);
    expect(evaluation.map((row) => row.kind === 'text' && row.text)).toMatchInlineSnapshot(`
      [
        "row 3",
        "row 4",
        "row 9",
        "row 14",
        "row 16",
      ]
    `);
    expect(evaluation).not.toEqual(splitRows(texts(20), { evalShare: 0.25, seed: 43 }).evaluation);
  });

  it('loses nothing, keeps the order, and never puts equal rows on both sides', () => {
    const row = fc.integer({ min: 0, max: 12 }).map((i) => text(`row ${i}`));
    const share = fc.double({ min: 0, max: 0.99, noNaN: true });
    fc.assert(
      fc.property(fc.array(row), share, fc.integer(), (rows, evalShare, seed) => {
        const { train, evaluation } = splitRows(rows, { evalShare, seed });
        expect(train.length + evaluation.length).toBe(rows.length);
        expect(findOverlap(train, evaluation)).toEqual([]);
        expect(evaluation.length).toBeLessThanOrEqual(
          Math.max(1, Math.round(evalShare * rows.length)),
        );
        const inTrain = new Set(train);
        expect(train).toEqual(rows.filter((r) => inTrain.has(r)));
        if (rows.length > 0) expect(train.length).toBeGreaterThan(0);
      }),
    );
  });

  it('gives the asked share where no rows are equal', () => {
    for (const [count, evalShare, expected] of [
      [100, 0.1, 10],
      [10, 0.01, 1],
      [10, 0, 0],
      [1, 0.5, 0],
      [0, 0.5, 0],
    ]) {
      expect(splitRows(texts(count), { evalShare, seed: 1 }).evaluation).toHaveLength(expected);
    }
  });

  it('refuses shares outside 0 to 1 and seeds that are no integer; the control passes', () => {
    expect(() => splitRows(texts(2), { evalShare: 0.5, seed: 0 })).not.toThrow();
    for (const evalShare of [-0.1, 1, NaN]) {
      expectFormatError(
        () => splitRows([], { evalShare, seed: 0 }),
        'invalid-value',
        /evalShare is/,
      );
    }
    expectFormatError(() => splitRows([], { evalShare: 0, seed: 0.5 }), 'invalid-value', /seed is/);
  });
});
