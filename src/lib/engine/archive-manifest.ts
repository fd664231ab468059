/** The list of an archive's entries, and the bytes of an entry held against it while they stream. */
import { isJsonObject, parseJsonObject } from '../config';
import { Fields } from '../config/fields';
import { MAX_ENTRIES, type ZipStreamEntry } from '../formats';
import { Sha256 } from '../formats/sha256';
import { MANIFEST, placeOf, wrongArchive, type EntryPlace } from './archive-layout';
import { EngineError } from './errors';

const KIND = 'inkstone-archive';
/** Rises when a reader of older archives would misunderstand a newer one. */
const VERSION = 1;

/** 10,000 entries with paths of 200 characters are some 3 MB. */
const MAX_MANIFEST_BYTES = 16 << 20;
/** Lies in memory as a whole: the log of a run of a hundred thousand steps is 12 MB. */
export const MAX_JSON_BYTES = 64 << 20;
/** All records of an archive, which lie in memory together while it is compared with what is here. */
export const MAX_RECORDS_BYTES = 512 << 20;
/** `inkstone.json` is an entry too. */
export const MAX_FILES = MAX_ENTRIES - 1;

export interface ManifestFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface ArchiveEntry extends ManifestFile {
  readonly place: EntryPlace;
  /** Errors where the bytes are not those that the manifest lists. */
  read(): AsyncGenerator<Uint8Array>;
}

export function writeManifest(files: readonly ManifestFile[], createdAt: number): Uint8Array {
  const manifest = {
    kind: KIND,
    version: VERSION,
    createdAt: new Date(createdAt).toISOString(),
    files,
  };
  return new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 1)}\n`);
}

/**
 * Every entry but the manifest, each one listed there, known to the layout and of the size it is said to have.
 * @throws EngineError `wrong-archive`, `newer-archive`; ConfigError; FormatError
 */
export async function readEntries(
  zipped: readonly ZipStreamEntry[],
  fileName: string,
): Promise<ArchiveEntry[]> {
  const byName = new Map(zipped.map((entry) => [entry.name, entry]));
  const manifest = byName.get(MANIFEST);
  if (!manifest)
    throw wrongArchive(
      fileName,
      `it has no ${MANIFEST}`,
      'Choose a file that “Export everything” wrote; models, data and adapters from elsewhere are imported on their own pages.',
    );
  const listed = readList(await readText(manifest, MAX_MANIFEST_BYTES, fileName), fileName);
  byName.delete(MANIFEST);
  const entries = listed.map((file) => {
    const place = placeOf(file.path);
    if (!place) throw wrongArchive(fileName, `${short(file.path)} is no place of its layout`);
    const entry = byName.get(file.path);
    if (!entry) throw wrongArchive(fileName, `${short(file.path)} is listed and not there`);
    byName.delete(file.path);
    if (entry.sizeBytes !== file.sizeBytes)
      throw wrongArchive(
        fileName,
        `${short(file.path)} has ${entry.sizeBytes} bytes, ${file.sizeBytes} are listed`,
      );
    return { ...file, place, read: () => readChecked(entry, file, fileName) };
  });
  const [stray] = byName.keys();
  if (stray !== undefined) throw wrongArchive(fileName, `${short(stray)} is not listed`);
  return entries;
}

/** An entry's JSON, after its bytes were held against the manifest. */
export async function readJsonEntry(entry: ArchiveEntry, fileName: string): Promise<Fields> {
  if (entry.sizeBytes > MAX_JSON_BYTES) throw tooLarge(entry.path, MAX_JSON_BYTES, fileName);
  const bytes = new Uint8Array(entry.sizeBytes);
  let at = 0;
  for await (const chunk of entry.read()) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  const name = `${fileName} (${entry.path})`;
  return new Fields(parseJsonObject(new TextDecoder().decode(bytes), name), name);
}

function readList(text: string, fileName: string): ManifestFile[] {
  const name = `${fileName} (${MANIFEST})`;
  const fields = new Fields(parseJsonObject(text, name), name);
  if (fields.object.kind !== KIND)
    throw wrongArchive(fileName, `its ${MANIFEST} is not of the kind ${KIND}`);
  const version = fields.integer('version', undefined, { min: 1 });
  if (version > VERSION)
    throw new EngineError(
      'newer-archive',
      `${fileName} was written by a newer Inkstone (format ${version}, this one reads ${VERSION}). Reload the page to update it; nothing was changed.`,
      { details: { fileName, found: version, allowed: VERSION } },
    );
  const { files } = fields.object;
  if (!Array.isArray(files)) throw fields.wrong('files', files, 'a list');
  if (files.length > MAX_FILES)
    throw wrongArchive(fileName, `it lists ${files.length} files, at most ${MAX_FILES} are read`);
  const seen = new Set<string>();
  return files.map((value: unknown, index) => {
    if (!isJsonObject(value)) throw fields.wrong(`files[${index}]`, value, 'an object');
    const file = new Fields(value, `${name}, files[${index}]`);
    const path = file.text('path', undefined);
    const sha256 = file.text('sha256', undefined);
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw file.wrong('sha256', sha256, '64 hexadecimal digits');
    if (seen.has(path)) throw wrongArchive(fileName, `${short(path)} is listed twice`);
    seen.add(path);
    return { path, sizeBytes: file.integer('sizeBytes', undefined, { min: 0 }), sha256 };
  });
}

async function* readChecked(
  entry: ZipStreamEntry,
  { path, sha256 }: ManifestFile,
  fileName: string,
): AsyncGenerator<Uint8Array> {
  const hash = new Sha256();
  for await (const chunk of readStream(entry.stream())) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest() !== sha256)
    throw wrongArchive(fileName, `the bytes of ${short(path)} are not those that were exported`);
}

async function readText(entry: ZipStreamEntry, max: number, fileName: string): Promise<string> {
  if (entry.sizeBytes > max) throw tooLarge(entry.name, max, fileName);
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of readStream(entry.stream()))
    text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

const tooLarge = (path: string, max: number, fileName: string): EngineError =>
  wrongArchive(fileName, `${short(path)} is larger than ${max} bytes`);

/** A hostile name may have a thousand characters. */
const short = (path: string): string => (path.length > 120 ? `${path.slice(0, 117)}...` : path);

/** Ends the stream when its reader stops early. */
export async function* readStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  let isDone = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isDone = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!isDone) await reader.cancel().catch(() => undefined);
  }
}
