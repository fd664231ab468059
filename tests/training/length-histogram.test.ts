/**
 * Plan: every row is in exactly one bar, bars leave no gap and are few; one ends at max_length where it lies
 * among them; a long tail is one open bar; nothing breaks on no rows or on rows of one length.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lengthHistogram } from '$lib/training';

const rowsOf = (lengths: readonly number[], maxLength: number) =>
  lengths.map((tokens) => ({ tokens, isCut: tokens > maxLength }));
const histogram = (lengths: readonly number[], maxLength: number) =>
  lengthHistogram(rowsOf(lengths, maxLength), maxLength);

describe('a histogram of lengths', () => {
  it('is empty without rows and has a bar for rows of one length', () => {
    expect(histogram([], 512)).toEqual({ bins: [], hasTail: false, longest: 0, median: 0 });
    const { bins, longest, median } = histogram([7, 7, 7], 512);
    expect(bins.at(-1)).toEqual({ from: 7, to: 7, rows: 3, cutRows: 0 });
    expect([longest, median]).toEqual([7, 7]);
  });

  it.each([
    [512, 700],
    [100, 240],
    [48, 61],
    [1024, 1500],
  ])('has a bar that ends at max_length %i where rows reach %i', (maxLength, longest) => {
    const lengths = Array.from({ length: longest }, (_, i) => i + 1);
    const { bins } = histogram(lengths, maxLength);
    expect(bins.map(({ to }) => to)).toContain(maxLength);
    for (const { from, rows, cutRows } of bins) expect(cutRows).toBe(from > maxLength ? rows : 0);
  });

  it('puts a long tail of few rows into one open bar', () => {
    const { bins, hasTail, longest } = histogram([...Array(99).fill(40), 90_000], 64);
    expect(hasTail).toBe(true);
    expect(bins.at(-1)).toMatchObject({ to: 90_000, rows: 1, cutRows: 1 });
    expect(bins.at(-1)!.from).toBeLessThan(200);
    expect(longest).toBe(90_000);
    expect(histogram([...Array(99).fill(40), 90], 64).hasTail).toBe(false);
  });

  it('counts each row once, in bars without a gap, for any lengths', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 2, max: 1 << 20 }), (all, maxLength) => {
        const { bins, longest } = histogram(all, maxLength);
        expect(bins.length).toBeLessThanOrEqual(33);
        expect(bins[0].from).toBe(1);
        bins.slice(1).forEach(({ from }, i) => expect(from).toBe(bins[i].to + 1));
        expect(bins.at(-1)!.to).toBeGreaterThanOrEqual(longest);
        for (const { from, to, rows, cutRows } of bins) {
          const inside = all.filter((tokens) => tokens >= from && tokens <= to);
          expect(rows).toBe(inside.length);
          expect(cutRows).toBe(inside.filter((tokens) => tokens > maxLength).length);
        }
      }),
    );
  });
});
