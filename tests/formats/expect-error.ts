/** Hostile input for parsers: mutations of a good file, and what a parser may do with them. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { FormatError } from '$lib/formats';

export const MUTATIONS = 1000;
/** A parser of a file of some kilobytes that takes longer has looped, on a busy machine too. */
const PATIENCE_MS = 5000;

type Edit =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'set'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'drop'; readonly at: number; readonly count: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'repeat'; readonly at: number; readonly count: number };

const place = fc.double({ min: 0, max: 1, noNaN: true });
/** Bytes that sizes and lengths are afraid of, beside any others. */
const hostileBytes = fc.oneof(
  fc.constantFrom(
    new Uint8Array(8).fill(0xff),
    new Uint8Array(8),
    Uint8Array.of(0xff, 0xff, 0xff, 0x7f),
    Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80),
    Uint8Array.of(0x22),
    Uint8Array.of(0x7b, 0x5b),
    Uint8Array.of(0xed, 0xa0, 0x80),
    new TextEncoder().encode('1e999'),
    new TextEncoder().encode('-1'),
    new TextEncoder().encode('"__proto__":'),
  ),
  fc.uint8Array({ minLength: 1, maxLength: 16 }),
);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('set' as const), at: place, bytes: hostileBytes }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('drop' as const), at: place, count: fc.nat(64) }),
  fc.record({ kind: fc.constant('insert' as const), at: place, bytes: hostileBytes }),
  fc.record({ kind: fc.constant('repeat' as const), at: place, count: fc.nat(64) }),
);

function applyEdit(bytes: Uint8Array, change: Edit): Uint8Array {
  const at = Math.min(bytes.length - 1, Math.floor(change.at * bytes.length));
  if (bytes.length === 0) return bytes;
  const before = bytes.subarray(0, at);
  switch (change.kind) {
    case 'flip': {
      const copy = bytes.slice();
      copy[at] ^= 1 << change.bit;
      return copy;
    }
    case 'set': {
      const copy = bytes.slice();
      copy.set(change.bytes.subarray(0, copy.length - at), at);
      return copy;
    }
    case 'cut':
      return bytes.slice(0, at);
    case 'drop':
      return join(before, bytes.subarray(at + change.count));
    case 'insert':
      return join(before, change.bytes, bytes.subarray(at));
    case 'repeat':
      return join(before, bytes.subarray(at, at + change.count), bytes.subarray(at));
  }
}

/** Throws whatever `parse` throws that is no FormatError, with the seed that repeats it. */
export function fuzzBytes(good: Uint8Array, parse: (bytes: Uint8Array) => void): void {
  // The control: untouched, the file is read.
  parse(good);
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      const bytes = edits.reduce(applyEdit, good);
      const started = performance.now();
      try {
        parse(bytes);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        expect(error.message.length).toBeLessThan(1000);
      }
      expect(performance.now() - started).toBeLessThan(PATIENCE_MS);
    }),
    { numRuns: MUTATIONS },
  );
}

export function expectFormatError(action: () => unknown, code: string, says: RegExp): void {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(FormatError);
  expect((thrown as FormatError).message).toMatch(says);
  expect((thrown as FormatError).code).toBe(code);
}

function join(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
