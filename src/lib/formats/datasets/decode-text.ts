/**
 * Bytes to text for files that people make: UTF-8, UTF-16 with or without a mark, and GB18030, which
 * Chinese spreadsheets still write. Refuses what is plainly no text, and says what it seems to be.
 */
import { FormatError } from '../errors';

/** A JavaScript string holds at most 2^29 - 24 characters in V8; a larger file cannot become one. */
export const MAX_DATASET_BYTES = 512_000_000;

export const ALLOWED_FORMATS =
  'a JSON array, JSONL (one JSON object a line) or CSV with a header, or plain text (.txt, .md),';

const MAGIC: readonly (readonly [bytes: readonly number[], name: string])[] = [
  [[0x25, 0x50, 0x44, 0x46], 'a PDF document'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive or an Office document (.xlsx, .docx)'],
  [[0x1f, 0x8b], 'a gzip archive'],
  [[0x37, 0x7a, 0xbc, 0xaf], 'a 7z archive'],
  [[0x52, 0x61, 0x72, 0x21], 'a rar archive'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'a Zstandard archive'],
  [[0x50, 0x41, 0x52, 0x31], 'a Parquet table'],
  [[0x41, 0x52, 0x52, 0x4f, 0x57], 'an Arrow table'],
  [[0xff, 0xff, 0xff, 0xff], 'an Arrow stream'],
  [[0xd0, 0xcf, 0x11, 0xe0], 'an old Office document (.xls, .doc)'],
  [[0x53, 0x51, 0x4c, 0x69, 0x74, 0x65], 'an SQLite database'],
  [[0x47, 0x47, 0x55, 0x46], 'a GGUF model'],
  [[0x89, 0x50, 0x4e, 0x47], 'a PNG image'],
  [[0xff, 0xd8, 0xff], 'a JPEG image'],
  [[0x47, 0x49, 0x46, 0x38], 'a GIF image'],
  [[0x52, 0x49, 0x46, 0x46], 'a sound, video or WebP file'],
  [[0x49, 0x44, 0x33], 'an MP3 sound'],
  [[0x7f, 0x45, 0x4c, 0x46], 'a program'],
];

export interface DecodedText {
  readonly text: string;
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'gb18030';
}

export function decodeText(bytes: Uint8Array, fileName: string): DecodedText {
  if (bytes.byteLength > MAX_DATASET_BYTES) {
    throw new FormatError(
      'too-large',
      `${fileName} has ${bytes.byteLength} bytes; at most ${MAX_DATASET_BYTES} fit into one text. Split it.`,
      { details: { fileName } },
    );
  }
  for (const [magic, name] of MAGIC) {
    if (magic.every((byte, i) => bytes[i] === byte)) throw notADataset(fileName, name);
  }
  const encoding = guessUtf16(bytes);
  if (encoding) {
    const text = decode(bytes, encoding);
    if (text === undefined) throw notADataset(fileName, `damaged text in ${encoding}`);
    return { text, encoding };
  }
  const utf8 = decode(bytes, 'utf-8');
  if (utf8 !== undefined) {
    if (utf8.includes('\0')) throw notADataset(fileName, 'a binary file');
    return { text: utf8, encoding: 'utf-8' };
  }
  const chinese = bytes.includes(0) ? undefined : decode(bytes, 'gb18030');
  if (chinese !== undefined) return { text: chinese, encoding: 'gb18030' };
  throw notADataset(fileName, 'a binary file, or text in an unknown encoding (save it as UTF-8)');
}

/**
 * What a text that is no JSON seems to be.
 * @param isCalledText by its name: Markdown may begin with a tag or with its front matter
 */
export function describeText(text: string, { isCalledText = false } = {}): string {
  const start = text.slice(0, 2000).trimStart().toLowerCase();
  if (start.startsWith('<!doctype html') || /^<(html|head|body)\b/.test(start)) {
    return 'an HTML page (a download link often gives the page instead of the file)';
  }
  if (start.startsWith(isCalledText ? '<?xml' : '<')) return 'an XML document';
  if (start.startsWith('version https://git-lfs')) {
    return 'a Git LFS pointer, not the file it stands for';
  }
  if (!isCalledText && /^---\s/.test(start)) return 'a YAML or Markdown document';
  return 'plain text';
}

export const notADataset = (fileName: string, seems: string): FormatError =>
  new FormatError(
    'wrong-format',
    `${fileName} seems to be ${seems}; ${ALLOWED_FORMATS} is allowed.`,
    { details: { fileName, seems } },
  );

function decode(bytes: Uint8Array, encoding: string): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** By its mark, or by zero bytes on one side of most of the first 512 pairs (ASCII syntax). */
function guessUtf16(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  if (bytes.byteLength < 4 || bytes.byteLength % 2 !== 0) return undefined;
  const length = Math.min(bytes.byteLength, 1024);
  let even = 0;
  let odd = 0;
  for (let i = 0; i < length; i += 2) {
    if (bytes[i] === 0) even++;
    if (bytes[i + 1] === 0) odd++;
  }
  const pairs = length / 2;
  if (even === 0 && odd >= pairs / 4) return 'utf-16le';
  if (odd === 0 && even >= pairs / 4) return 'utf-16be';
  return undefined;
}
