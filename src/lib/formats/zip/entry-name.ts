/** Names inside archives: how they are decoded, and which of them may become paths. */
import { describeValue } from '../describe';
import { FormatError } from '../errors';

/** OPFS and every common file system allow at least 255 bytes a part. */
const MAX_NAME_CHARS = 1024;

/** A relative path with forward slashes, without `.`, `..`, empty parts, drives or control characters. */
export function checkEntryName(name: string, fileName: string): string {
  const parts = name.split('/');
  const isSafe =
    name !== '' &&
    name.length <= MAX_NAME_CHARS &&
    // eslint-disable-next-line no-control-regex -- control characters are what is refused
    !/[\0-\x1f\x7f\\:]/.test(name) &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..');
  if (isSafe) return name;
  throw new FormatError(
    'unsafe-name',
    `${fileName} names an entry ${describeValue(name)}; a relative path without "..", ":" or backslashes is allowed.`,
  );
}

/** UTF-8 where it is declared or valid; otherwise GB18030, which Chinese Windows writes unmarked. */
export function decodeEntryName(bytes: Uint8Array, isUtf8: boolean): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder(isUtf8 ? 'utf-8' : 'gb18030').decode(bytes);
  }
}
