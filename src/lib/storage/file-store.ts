/**
 * The interface of a place for files: OPFS in a browser, memory in tests, a folder on the command line.
 * Paths are relative, with `/` between segments. `tests/storage/file-store-contract.ts` holds its rules.
 */
import { StorageError } from './errors';

export type Bytes = Uint8Array<ArrayBuffer>;
/** A whole file at once, or its pieces in order. */
export type FileSource = Uint8Array | AsyncIterable<Uint8Array>;

export interface FileEntry {
  path: string;
  sizeBytes: number;
  /** Milliseconds since 1970. */
  modifiedMs: number;
}

export interface FileStore {
  /**
   * Atomic: until it resolves, readers see the old file or none; when the source throws or the device
   * is full, they go on seeing it and nothing is left behind.
   */
  writeFile(path: string, source: FileSource): Promise<void>;
  /** Not atomic, for what can be resumed: what came before an error stays. Creates the file. */
  appendFile(path: string, source: FileSource): Promise<void>;
  /** Backed by the store, not by memory. Throws 'not-found'. */
  readFile(path: string): Promise<File>;
  /** Bytes from `start` up to `end`, which is cut to the end of the file. Throws 'not-found'. */
  readRange(path: string, start: number, end: number): Promise<Bytes>;
  /** Files at or under a path, sorted by path; '' lists all. A path that is not there lists nothing. */
  list(prefix: string): Promise<FileEntry[]>;
  /** Removes a file or a folder with all in it; nothing when it is not there. */
  remove(prefix: string): Promise<void>;
  /** Replaces `to` when it exists. Atomic where the browser can move files. Throws 'not-found'. */
  rename(from: string, to: string): Promise<void>;
  /** Whether a file, not a folder, is there. */
  exists(path: string): Promise<boolean>;
  /** Infinity where nobody knows. */
  freeBytes(): Promise<number>;
}

/** Files being written carry this suffix; only the store itself sees them. */
export const TEMPORARY_SUFFIX = '.tmp~';

/** Also Chromium's own swap files, which it shows in listings. */
export const isTemporary = (name: string): boolean =>
  name.includes(TEMPORARY_SUFFIX) || name.endsWith('.crswap');

/** File systems allow 255 bytes a name; the rest is for the temporary suffix. */
const MAX_SEGMENT_BYTES = 200;
const MAX_PATH_LENGTH = 1000;

// Control characters, and what some file system or URL reads as a separator or a wildcard.
// eslint-disable-next-line no-control-regex -- control characters are what is refused
const FORBIDDEN = /[\u0000-\u001f\u007f\\:*?"<>|]/u;

/** The segments of a safe path. Throws 'bad-path' for anything that could leave the store. */
export function splitPath(path: string): [...string[], string] {
  const refuse = (why: string): never => {
    const shown = JSON.stringify(path.slice(0, 120));
    throw new StorageError('bad-path', `The path ${shown} ${why}.`, { details: { path: shown } });
  };
  if (path.length > MAX_PATH_LENGTH) refuse(`is longer than ${MAX_PATH_LENGTH} characters`);
  const segments = path.split('/');
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..') {
      refuse('has an empty, "." or ".." segment');
    }
    if (FORBIDDEN.test(segment)) refuse('has a character that no file name may have');
    if (new TextEncoder().encode(segment).length > MAX_SEGMENT_BYTES) {
      refuse(`has a segment of more than ${MAX_SEGMENT_BYTES} bytes`);
    }
    if (isTemporary(segment)) refuse('has the name of a temporary file');
  }
  return segments as [...string[], string];
}

/** As `splitPath`, and '' for everything. */
export const splitPrefix = (prefix: string): string[] => (prefix === '' ? [] : splitPath(prefix));

export async function* chunksOf(source: FileSource): AsyncIterable<Uint8Array> {
  if (source instanceof Uint8Array) yield source;
  else yield* source;
}
