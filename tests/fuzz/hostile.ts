/** What parsers are afraid of: numbers, texts, keys and bytes that mutations draw from. */
import type { Xoshiro128 } from '$lib/config/random';

export const pick = <T>(random: Xoshiro128, items: readonly T[]): T =>
  items[random.nextBelow(items.length)];

/** True once in `one` times. */
export const chance = (random: Xoshiro128, one: number): boolean => random.nextBelow(one) === 0;

/** As written in a JSON text; several are no JSON, several are no finite double. */
export const NUMBERS: readonly string[] = [
  ...['0', '-0', '1', '-1', '2', '7', '255', '256', '65535', '65536', '2147483647', '2147483648'],
  ...['-2147483648', '4294967295', '4294967296', '9007199254740991', '9007199254740992'],
  ...['9223372036854775807', '18446744073709551615', '1e15', '1e21', '1e308', '1e999', '-1e999'],
  ...['1e-400', '0.5', '1.0000000000000002', '3.402823669209385e38', 'NaN', 'Infinity', '01', '1e'],
];

export const TEXTS: readonly string[] = [
  ...['', ' ', '\0', '\n', '\u2028', '\uFEFF', '\uD800', '\uDC00\uD800', '\uFFFD', '😀', 'ﷺ'],
  ...['..', '../../x', '/', '\\', 'C:\\x', '%s', '{{', '{%', '}}', '$&', '\\p{L}', '(a+)+$'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length', 'then'],
  ...['null', 'true', 'NaN', '-1', '1e999', '字'.repeat(300), 'a'.repeat(5000), ' '.repeat(5000)],
];

export const KEYS: readonly string[] = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'toJSON', 'hasOwnProperty'],
  ...['then', 'length', '', ' ', '\uD800', '0', '-1', '__metadata__', 'type', 'a'.repeat(2000)],
];

const u32 = (value: number) => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);

/** Lengths and offsets blown up, varints without an end, text that is no UTF-8. */
export const BYTES: readonly Uint8Array[] = [
  ...[0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff].map(u32),
  new Uint8Array(8).fill(0xff),
  new Uint8Array(8),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
  Uint8Array.of(0, 0, 0, 0, 0, 0, 0x20, 0),
  new Uint8Array(11).fill(0x80),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
  Uint8Array.of(0xed, 0xa0, 0x80),
  Uint8Array.of(0xc0, 0x80),
  Uint8Array.of(0xf8),
  Uint8Array.of(0xff, 0xfe),
  Uint8Array.of(0xfe, 0xff),
  Uint8Array.of(0x22),
  Uint8Array.of(0x5c),
  Uint8Array.of(0x7b),
  Uint8Array.of(0x5d),
  new TextEncoder().encode('"__proto__":'),
  new TextEncoder().encode('1e999'),
];
