/**
 * Plan: a question is found again whatever its case, width, white space or form, Chinese, Japanese and Korean
 * included, and a different one is not; an answer of invisible characters is empty; what is left out goes
 * before or after the split as stated, the rest keeps its number, and nothing is ever on both sides.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findLeaked,
  foldText,
  hasEmptyAnswer,
  questionKey,
  selectRows,
  splitRows,
  type DatasetRow,
} from '$lib/formats';

const ask = (instruction: string, output = 'a', input = ''): DatasetRow => ({
  kind: 'instruction',
  ...{ instruction, input, output },
});
const chat = (...contents: string[]): DatasetRow => ({
  kind: 'chat',
  messages: contents.map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content })),
});
const tokens = (inputIds: number[], labels = inputIds): DatasetRow => ({
  kind: 'tokens',
  ...{ inputIds, labels },
});

describe('a question', () => {
  it.each([
    ['What is  a COLD?', ' what is a cold?\n'],
    ['ＷＨＡＴ？', 'what?'],
    ['感冒 发烧　怎么办？', '感冒发烧怎么办?'],
    ['用 Python 写一个循环', '用python写一个循环'],
    ['감기에 걸리면', '감기에걸리면'],
    ['ﾃﾞｰﾀ', 'データ'],
    ['soft\u00adhyphen\u200b', 'softhyphen'],
  ])('%j is the same as %j', (one, other) => {
    expect(foldText(one)).toBe(foldText(other));
  });

  it.each([
    ['can not', 'cannot'],
    ['a cold', 'a code'],
    ['感冒怎么办', '感冒了怎么办'],
    ['2 3', '23'],
  ])('%j is not %j', (one, other) => {
    expect(foldText(one)).not.toBe(foldText(other));
  });

  it('is found in every form of a row, without its answer', () => {
    const key = questionKey(ask('Which department?', 'x', 'My knee'));
    expect(
      questionKey({ kind: 'completion', prompt: 'which department? my KNEE', completion: '' }),
    ).toBe(key);
    expect(questionKey(chat('Which department?\nMy knee', 'y'))).toBe(key);
    expect(questionKey(chat('Which department?', 'Where?', 'My knee', 'y'))).not.toBe(key);
    expect(questionKey({ kind: 'text', text: 'Which department? My knee' })).toBe(key);
    expect(questionKey(tokens([1, 2, 3], [-100, -100, 3]))).toBe(
      questionKey(tokens([1, 2, 9], [-100, -100, 9])),
    );
    expect(questionKey(tokens([1, 2, 3]))).not.toBe(questionKey(tokens([1, 2, 9])));
  });
});

it('what is asked and answered is told by the last answer that is learned from', () => {
  const masked = (content: string): DatasetRow => ({
    kind: 'chat',
    messages: [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a' },
      { role: 'user', content: 'r' },
      { role: 'assistant', content, noLoss: 'weight' },
    ],
  });
  expect(questionKey(masked('b'))).toBe(questionKey(chat('q', 'a')));
  expect(questionKey(chat('q', 'a', 'r', 'b'))).not.toBe(questionKey(chat('q', 'a')));
  expect(hasEmptyAnswer(masked('\u200b'))).toBe(false);
});

it('an answer of blanks and invisible characters is empty, a full stop is not', () => {
  for (const output of ['', ' \n', '\u200b\u2060', '\u3000', '\u3164'])
    expect(hasEmptyAnswer(ask('q', output))).toBe(true);
  expect(hasEmptyAnswer(ask('q', '。'))).toBe(false);
  expect(hasEmptyAnswer(chat('q', '\u200b', 'r', 'a'))).toBe(true);
  expect(hasEmptyAnswer(chat('q', 'a'))).toBe(false);
  expect(hasEmptyAnswer(tokens([5, 6], [5, -100]))).toBe(true);
  expect(hasEmptyAnswer(tokens([5, 6]))).toBe(false);
});

describe('which rows a run has', () => {
  const rows = [ask('a'), ask('b', '\u200b'), ask(' a'), ask('A', 'other'), ask('c'), ask('d')];

  it('all, where nothing is held back or left out', () => {
    expect(selectRows(rows, { evalShare: 0, seed: 1 })).toEqual({
      train: [0, 1, 2, 3, 4, 5],
      evaluation: [],
    });
  });

  it('without later duplicates and empty answers; the others keep their numbers', () => {
    const leaveOut = ['duplicates', 'empty'] as const;
    expect(selectRows(rows, { evalShare: 0, seed: 1, leaveOut }).train).toEqual([0, 3, 4, 5]);
  });

  it('of evaluation data of its own only what leaked is left out', () => {
    const evalRows = [ask('x'), ask('x'), ask('C ', 'another answer')];
    const options = { evalShare: 0.5, seed: 1, evalRows };
    const selected = selectRows(rows, { ...options, leaveOut: ['duplicates'] });
    expect(selected.evaluation).toEqual([0, 1, 2]);
    expect(findLeaked(rows, selected, evalRows)).toEqual([{ row: 2, like: 4 }]);
    expect(selectRows(rows, { ...options, leaveOut: ['leaked'] }).evaluation).toEqual([0, 1]);
  });

  it('for any data: disjoint, in order, as splitRows has them, and nothing leaks that was left out', () => {
    const word = fc.constantFrom('a', 'A', 'b', 'c', ' c', 'd', '感 冒', '感冒');
    const data = fc.array(fc.tuple(word, word), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(data, fc.double({ min: 0, max: 0.9, noNaN: true }), (pairs, evalShare) => {
        const all = pairs.map(([question, answer]) => ask(question, answer));
        const plain = selectRows(all, { evalShare, seed: 7 });
        const split = splitRows(all, { evalShare, seed: 7 });
        expect(plain.train.map((i) => all[i])).toEqual(split.train);
        expect(plain.evaluation.map((i) => all[i])).toEqual(split.evaluation);
        const leaveOut = ['duplicates', 'empty', 'leaked'] as const;
        const selected = selectRows(all, { evalShare, seed: 7, leaveOut });
        expect(selected).toEqual(selectRows(all, { evalShare, seed: 7, leaveOut }));
        expect(findLeaked(all, selected)).toEqual([]);
        const both = [...selected.train, ...selected.evaluation];
        expect(new Set(both).size).toBe(both.length);
        for (const side of [selected.train, selected.evaluation])
          expect(side).toEqual([...side].sort((a, b) => a - b));
      }),
    );
  });
});
