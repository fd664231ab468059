/**
 * Plan: a text that is too long becomes parts that fit, and what they learn, one after the other, is what the whole
 * would: every token once, for every length and tokenizer; bos begins the first alone and eos ends the last alone; the
 * same text has the same parts. One that fits is one row, and rows of other kinds are cut as ever.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DatasetRow } from '$lib/formats';
import {
  countParts,
  encodeParts,
  encodeRow,
  IGNORED_LABEL,
  measureRow,
  type EncodedRow,
  type EncodeRowOptions,
} from '$lib/text';
import { byteLevel, expectTextError, metaspace } from './fixtures';

const TEXT =
  '春眠不觉晓，处处闻啼鸟。 Once upon a time there was an inkstone 🖋, and it was heavy.\n';
const text = (content: string): DatasetRow => ({ kind: 'text', text: content });
const options = (maxLength: number, trainOnPrompt = false): EncodeRowOptions => ({
  ...{ template: 'auto', maxLength, trainOnPrompt },
});
const whole = (row: DatasetRow, tokenizer = byteLevel, trainOnPrompt = false) =>
  encodeRow(row, tokenizer, options(Number.MAX_SAFE_INTEGER, trainOnPrompt));

/** What is learned: the loss predicts each label from the tokens before it, so that a row's first is none. */
const learned = (rows: readonly EncodedRow[]) =>
  rows.flatMap(({ labels }) => [...labels.subarray(1)].filter((id) => id !== IGNORED_LABEL));
const labelled = (rows: readonly EncodedRow[]) =>
  rows.flatMap(({ labels }) => [...labels].filter((id) => id !== IGNORED_LABEL));

describe('parts of a text', () => {
  it('learn every token of the whole once, in order, whatever the length', () => {
    const property = fc.property(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.integer({ min: 2, max: 40 }),
      fc.constantFrom(byteLevel, metaspace),
      fc.boolean(),
      (content, maxLength, tokenizer, trainOnPrompt) => {
        const row = text(TEXT + content);
        const all = whole(row, tokenizer, trainOnPrompt);
        const parts = encodeParts(row, tokenizer, options(maxLength, trainOnPrompt));
        expect(labelled(parts)).toEqual(labelled([all]));
        expect(learned(parts)).toEqual(learned([all]));
        expect(parts).toHaveLength(countParts(all.inputIds.length, maxLength));
        let next = 0;
        for (const { inputIds, labels, answerCut, truncated } of parts) {
          expect(inputIds.length).toBeGreaterThan(1);
          expect(inputIds.length).toBeLessThanOrEqual(maxLength);
          expect(labels).toHaveLength(inputIds.length);
          expect([answerCut, truncated]).toEqual([false, false]);
          // Each follows the one before, whose last token it reads once more.
          const from = Math.max(0, next - 1);
          expect([...inputIds]).toEqual([...all.inputIds.slice(from, from + inputIds.length)]);
          next = from + inputIds.length;
        }
        expect(next).toBe(all.inputIds.length);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('have bos at the start of the first and eos at the end of the last, and nowhere else', () => {
    const row = text(TEXT.repeat(3));
    const { bos_token, eos_token } = metaspace.specialTokens;
    const [bos, eos] = [bos_token!, eos_token!].map((token) =>
      metaspace.encode(token, { addSpecialTokens: false }).at(-1)!,
    );
    const parts = encodeParts(row, metaspace, options(16));
    expect(parts.length).toBeGreaterThan(3);
    const places = (id: number) =>
      parts.flatMap(({ inputIds }, part) =>
        [...inputIds].flatMap((found, at) => (found === id ? [[part, at]] : [])),
      );
    expect(places(bos)).toEqual([[0, 0]]);
    expect(places(eos)).toEqual([[parts.length - 1, parts.at(-1)!.inputIds.length - 1]]);
    expect(parts[0].promptLength).toBe(1);
  });

  it('are the same each time', () => {
    const parts = () => encodeParts(text(TEXT.repeat(5)), byteLevel, options(13));
    expect(parts()).toEqual(parts());
  });

  it('are one where the text fits, to the token', () => {
    const row = text(TEXT);
    const all = whole(row);
    const { length } = all.inputIds;
    expect(encodeParts(row, byteLevel, options(length))).toEqual([all]);
    expect(encodeParts(row, byteLevel, options(length - 1))).toHaveLength(2);
  });

  it('are of texts alone: rows with a prompt and rows of tokens are cut as ever', () => {
    const long = TEXT.repeat(4);
    const ids = whole(text(long)).inputIds;
    const rows: DatasetRow[] = [
      { kind: 'instruction', instruction: 'a', input: '', output: long },
      { kind: 'completion', prompt: 'a', completion: long },
      {
        kind: 'chat',
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: long },
        ],
      },
      { kind: 'tokens', inputIds: [...ids], labels: [...ids] },
    ];
    for (const row of rows) {
      const parts = encodeParts(row, byteLevel, options(32));
      expect(parts).toEqual([encodeRow(row, byteLevel, options(32))]);
      expect(parts[0].answerCut).toBe(true);
      const { isSplittable } = measureRow(row, byteLevel, {
        template: 'auto',
        trainOnPrompt: false,
      });
      expect(isSplittable).toBe(false);
    }
    // Control.
    expect(encodeParts(text(long), byteLevel, options(32)).length).toBeGreaterThan(1);
  });

  it('need room for two tokens', () => {
    expect(encodeParts(text(TEXT), byteLevel, options(2)).length).toBeGreaterThan(10);
    for (const maxLength of [1, 0, 2.5, NaN])
      expectTextError(
        () => encodeParts(text(TEXT), byteLevel, options(maxLength)),
        'bad-row',
        /maxLength is/,
      );
  });
});
