/** Mutations of bytes, whatever they mean: bits, cuts, copies, blown-up lengths, and bytes at random. */
import type { Xoshiro128 } from '$lib/config/random';
import { BYTES, chance, pick } from './hostile';

const MAX_EDITS = 4;
const MAX_RANDOM_BYTES = 200;

/** One to four edits of a good file; once in thirty-two, bytes that never were one. */
export function mutateBytes(random: Xoshiro128, good: Uint8Array): Uint8Array {
  if (chance(random, 32)) return randomBytes(random, random.nextBelow(MAX_RANDOM_BYTES));
  let bytes = good;
  for (let left = 1 + random.nextBelow(MAX_EDITS); left > 0; left--) bytes = edit(random, bytes);
  return bytes;
}

export function randomBytes(random: Xoshiro128, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => random.nextUint32() & 0xff);
}

function edit(random: Xoshiro128, bytes: Uint8Array): Uint8Array {
  const at = bytes.length === 0 ? 0 : random.nextBelow(bytes.length);
  const before = bytes.subarray(0, at);
  const some = 1 + random.nextBelow(64);
  switch (random.nextBelow(8)) {
    case 0:
    case 1: {
      const copy = bytes.slice();
      copy[at] ^= 1 << random.nextBelow(8);
      return copy;
    }
    case 2: {
      const copy = bytes.slice();
      copy.set(pick(random, BYTES).subarray(0, copy.length - at), at);
      return copy;
    }
    case 3:
      return bytes.slice(0, at);
    case 4:
      return concat(before, bytes.subarray(at + some));
    case 5:
      return concat(before, pick(random, BYTES), bytes.subarray(at));
    case 6:
      return concat(before, bytes.subarray(at, at + some), bytes.subarray(at));
    default: {
      const from = bytes.length === 0 ? 0 : random.nextBelow(bytes.length);
      const copy = bytes.slice();
      copy.copyWithin(at, from, from + some);
      return copy;
    }
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
