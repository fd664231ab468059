/**
 * Writes a zip archive as a stream, entries stored: weights do not pack, and a stored archive can be
 * read in slices. Zip64 where sizes ask for it (client-zip).
 */
import { makeZip } from 'client-zip';
import { describeValue } from '../describe';
import { FormatError } from '../errors';
import { checkEntryName } from './entry-name';

export interface ZipInput {
  /** Relative path with forward slashes. */
  readonly name: string;
  readonly data: Uint8Array | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** Errors of a name or of an input's stream come out of the stream. */
export function writeZip(
  files: AsyncIterable<ZipInput> | Iterable<ZipInput>,
  { modified = new Date() }: { readonly modified?: Date } = {},
): ReadableStream<Uint8Array> {
  return makeZip(checkedInputs(files, modified));
}

async function* checkedInputs(files: AsyncIterable<ZipInput> | Iterable<ZipInput>, modified: Date) {
  const names = new Set<string>();
  for await (const { name, data } of files) {
    checkEntryName(name, 'the archive to be written');
    if (names.has(name)) {
      throw new FormatError(
        'invalid-value',
        `the archive would have two entries ${describeValue(name)}; each name may occur once.`,
      );
    }
    names.add(name);
    yield { name, input: data as ArrayBufferView<ArrayBuffer> | Blob, lastModified: modified };
  }
}
