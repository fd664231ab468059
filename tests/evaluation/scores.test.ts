import { describe, expect, it } from 'vitest';
import { isExactMatch, rougeL, scorePredictions } from '$lib/evaluation';

describe('exact match', () => {
  it.each([
    ['呼吸内科。', '呼吸内科'],
    [' Skin doctor ', 'skin doctor.'],
    ['２０秒', '20秒'],
    ['维生素 C', '维生素C'.replace('C', ' C')],
    ['内 科', '内科'],
  ])('%j is %j', (answer, reference) => expect(isExactMatch(answer, reference)).toBe(true));

  it.each([
    ['内科', '外科'],
    ['', '内科'],
    ['skin', 'skin doctor'],
    ['1.5', '15'],
  ])('%j is not %j', (answer, reference) => expect(isExactMatch(answer, reference)).toBe(false));
});

describe('ROUGE-L', () => {
  it('is 1 for the same text and 0 for nothing in common, in both languages', () => {
    expect(rougeL('多喝水', '多喝水')).toBe(1);
    expect(rougeL('drink water', 'Drink water')).toBe(1);
    expect(rougeL('多喝水', '内科')).toBe(0);
    expect(rougeL('drink water', 'see a doctor')).toBe(0);
  });

  it("is Lin's own example: police killed the gunman", () => {
    // Lin 2004, section 3.1: LCS 3 of 4 words, so F1 = 3/4; and 2 of 4, so 1/2.
    const reference = 'police killed the gunman';
    expect(rougeL('police kill the gunman', reference)).toBeCloseTo(0.75, 12);
    expect(rougeL('the gunman kill police', reference)).toBeCloseTo(0.5, 12);
  });

  it('counts Chinese by characters', () => {
    // LCS 移到阴凉处 (5) of 5 and 8 characters: precision 1, recall 5/8.
    expect(rougeL('移到阴凉处', '移到阴凉处降温吧')).toBeCloseTo((2 * (5 / 8)) / (1 + 5 / 8), 12);
  });

  it('treats an empty answer as nothing in common, two empty texts as equal', () => {
    expect(rougeL('', '内科')).toBe(0);
    expect(rougeL('', '')).toBe(1);
  });
});

describe('scores', () => {
  it('are means over the items, with their number', () => {
    const predictions = [
      { answer: '内科', reference: '内科' },
      { answer: '外科', reference: '眼睛' },
    ];
    expect(scorePredictions(predictions)).toEqual({ accuracy: 0.5, rougeL: 0.5, count: 2 });
    expect(scorePredictions([])).toEqual({ accuracy: 0, rougeL: 0, count: 0 });
  });
});
