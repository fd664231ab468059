/** Mutations of a text that keep it a text: cuts, copies, hostile words and numbers, deep nesting. */
import type { Xoshiro128 } from '$lib/config/random';
import { BYTES, chance, NUMBERS, pick, TEXTS } from './hostile';
import { concat, mutateBytes } from './mutate-bytes';

const MAX_EDITS = 3;
const NESTINGS = ['[', '{"a":', '[[', '(', '{', '{% if a %}', '{{ ('];
const DEEP = [20, 70, 300, 20_000];

/** `words` are what the text's own grammar is made of. */
export function mutateText(
  random: Xoshiro128,
  good: string,
  words: readonly string[] = TEXTS,
): string {
  let text = good;
  for (let left = 1 + random.nextBelow(MAX_EDITS); left > 0; left--)
    text = edit(random, text, words);
  return text;
}

function edit(random: Xoshiro128, text: string, words: readonly string[]): string {
  const at = random.nextBelow(text.length + 1);
  const some = 1 + random.nextBelow(40);
  const before = text.slice(0, at);
  switch (random.nextBelow(8)) {
    case 0:
      return before;
    case 1:
      return before + text.slice(at + some);
    case 2:
      return before + text.slice(at, at + some) + text.slice(at);
    case 3:
      return before + pick(random, TEXTS) + text.slice(at);
    case 4:
      return before + pick(random, words) + text.slice(at + (chance(random, 2) ? some : 0));
    case 5:
      return chance(random, 8)
        ? before + pick(random, NESTINGS).repeat(pick(random, DEEP)) + text.slice(at)
        : before + pick(random, NESTINGS) + text.slice(at);
    case 6:
      return replaceNumber(random, text, at);
    default:
      return before + String.fromCharCode(random.nextBelow(0x10000)) + text.slice(at + 1);
  }
}

function replaceNumber(random: Xoshiro128, text: string, from: number): string {
  const found = /-?\d+(\.\d+)?/g;
  found.lastIndex = from;
  const match = found.exec(text);
  if (!match) return text;
  const end = match.index + match[0].length;
  return text.slice(0, match.index) + pick(random, NUMBERS) + text.slice(end);
}

const encoder = new TextEncoder();

/** A text as a file may hold it: mostly UTF-8, sometimes marked, in UTF-16, cut or damaged. */
export function encodeText(random: Xoshiro128, text: string): Uint8Array {
  const utf8 = encoder.encode(text);
  switch (random.nextBelow(16)) {
    case 0:
      return concat(Uint8Array.of(0xef, 0xbb, 0xbf), utf8);
    case 1:
      return utf16(text, chance(random, 2));
    case 2:
      return concat(utf8, pick(random, BYTES));
    case 3:
      return mutateBytes(random, utf8);
    default:
      return utf8;
  }
}

function utf16(text: string, isMarked: boolean): Uint8Array {
  const units = Uint16Array.from(text, (character) => character.charCodeAt(0));
  const bytes = new Uint8Array(units.buffer);
  return isMarked ? concat(Uint8Array.of(0xff, 0xfe), bytes) : bytes;
}
