/**
 * Reads the header of a safetensors file: eight bytes of length, then JSON. Knows nothing of what
 * the tensors mean. The rules are those of upstream's `Metadata::validate` (safetensors 0.8, Rust).
 */
import { isDeeperThan } from '../../config/json-depth';
import { describeSize, describeValue } from '../describe';
import { FormatError } from '../errors';
import { findDuplicateKey } from '../json-keys';
import {
  isSafetensorsDtype,
  SAFETENSORS_DTYPES,
  safetensorsByteLength,
  type SafetensorsDtype,
} from './dtypes';

/** Upstream's own bound: it keeps a hostile length from becoming an allocation. */
export const MAX_HEADER_LENGTH = 100_000_000;
/** Bytes of the little-endian length that opens the file. */
export const LENGTH_BYTES = 8;
/** No tensor has more dimensions; a longer shape is an attack on the product below. */
const MAX_RANK = 32;
/** {name: {shape: [..]}} nests three deep; anything deeper is not a header. */
const MAX_DEPTH = 8;

export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** First byte, counted from `dataOffset`. */
  readonly begin: number;
  /** Byte after the last, counted from `dataOffset`. */
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their bytes. */
  readonly tensors: readonly SafetensorsTensor[];
  /** Where the bytes of the tensors start in the file. */
  readonly dataOffset: number;
}

export interface SafetensorsSource {
  readonly fileName: string;
  /** Size of the whole file, of which the bytes given may be only the start. */
  readonly fileSizeBytes: number;
}

/** Bytes from the start of the file that `parseSafetensorsHeader` needs; takes the first eight. */
export function safetensorsHeaderEnd(bytes: Uint8Array, source: SafetensorsSource): number {
  const { fileName, fileSizeBytes } = source;
  if (bytes.byteLength < LENGTH_BYTES || fileSizeBytes < LENGTH_BYTES) {
    throw new FormatError(
      'truncated',
      `${fileName} has ${Math.min(bytes.byteLength, fileSizeBytes)} bytes; a safetensors file opens with a length of 8 bytes. Get the file again.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_LENGTH)) {
    throw new FormatError(
      'too-large',
      `${fileName} announces a header of ${length} bytes; at most ${MAX_HEADER_LENGTH} are allowed. It is probably not a safetensors file.`,
    );
  }
  const end = LENGTH_BYTES + Number(length);
  if (end > fileSizeBytes) {
    throw new FormatError(
      'truncated',
      `${fileName} announces a header of ${length} bytes but has only ${describeSize(fileSizeBytes)}. Get the file again.`,
    );
  }
  return end;
}

/** Throws FormatError; `bytes` is the file or its first `safetensorsHeaderEnd` bytes or more. */
export function parseSafetensorsHeader(
  bytes: Uint8Array,
  source: SafetensorsSource,
): SafetensorsHeader {
  const { fileName, fileSizeBytes } = source;
  const dataOffset = safetensorsHeaderEnd(bytes, source);
  if (bytes.byteLength < dataOffset) {
    throw new FormatError(
      'truncated',
      `the header of ${fileName} takes ${dataOffset} bytes and ${bytes.byteLength} were given.`,
    );
  }
  const entries = parseJson(bytes.subarray(LENGTH_BYTES, dataOffset), fileName);
  const metadata: Record<string, string> = {};
  const tensors: SafetensorsTensor[] = [];
  for (const [name, value] of entries) {
    if (name === '__metadata__') readMetadata(value, fileName, metadata);
    else tensors.push(readTensor(name, value, fileName));
  }
  checkLayout(tensors, fileSizeBytes - dataOffset, fileName);
  return { metadata, tensors, dataOffset };
}

function parseJson(bytes: Uint8Array, fileName: string): [string, unknown][] {
  if (bytes[0] !== 0x7b) {
    throw new FormatError(
      'wrong-format',
      `the header of ${fileName} does not start with "{"; this is not a safetensors file.`,
    );
  }
  let parsed: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (isDeeperThan(text, MAX_DEPTH)) throw new Error(`brackets nest deeper than ${MAX_DEPTH}`);
    parsed = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 120) : 'unknown';
    throw new FormatError('corrupt', `the header of ${fileName} is not JSON (${reason}).`, {
      cause,
    });
  }
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) {
    throw new FormatError(
      'corrupt',
      `the header of ${fileName} names ${describeValue(duplicate)} twice; a name may occur once.`,
    );
  }
  return Object.entries(parsed as Record<string, unknown>);
}

function readMetadata(value: unknown, fileName: string, into: Record<string, string>): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FormatError(
      'corrupt',
      `__metadata__ of ${fileName} is ${describeValue(value)}; it must be an object of texts.`,
    );
  }
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw new FormatError(
        'corrupt',
        `__metadata__.${key.slice(0, 60)} of ${fileName} is ${describeValue(text)}; only text is allowed.`,
      );
    }
    Object.defineProperty(into, key, { value: text, enumerable: true, writable: true });
  }
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);

function readTensor(name: string, value: unknown, fileName: string): SafetensorsTensor {
  const where = `tensor ${describeValue(name)} of ${fileName}`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FormatError('corrupt', `${where} is ${describeValue(value)}; it must be an object.`);
  }
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  if (!isSafetensorsDtype(dtype)) {
    throw new FormatError(
      'unsupported',
      `${where} has dtype ${describeValue(dtype)}; known are ${SAFETENSORS_DTYPES.join(', ')}.`,
    );
  }
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isCount)) {
    throw new FormatError(
      'corrupt',
      `${where} has shape ${describeValue(shape)}; at most ${MAX_RANK} integers of 0 or more are allowed.`,
    );
  }
  const [begin, end] = Array.isArray(offsets) && offsets.length === 2 ? (offsets as unknown[]) : [];
  if (!isCount(begin) || !isCount(end) || end < begin) {
    throw new FormatError(
      'corrupt',
      `${where} has data_offsets ${describeValue(offsets)}; they must be [begin, end] with 0 <= begin <= end.`,
    );
  }
  const needed = safetensorsByteLength(dtype, shape);
  if (needed === undefined) {
    throw new FormatError(
      'corrupt',
      `${where} has shape ${describeValue(shape)} of ${dtype}: its size overflows or is no whole number of bytes.`,
    );
  }
  if (end - begin !== needed) {
    throw new FormatError(
      'corrupt',
      `${where} has ${end - begin} bytes; shape ${describeValue(shape)} of ${dtype} takes ${needed}.`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/** Sorts by place and checks that the tensors fill the data without holes, overlaps or remainder. */
function checkLayout(tensors: SafetensorsTensor[], dataBytes: number, fileName: string): void {
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end || (a.name < b.name ? -1 : 1));
  let expected = 0;
  for (const { name, begin, end } of tensors) {
    if (begin !== expected) {
      throw new FormatError(
        'corrupt',
        `tensor ${describeValue(name)} of ${fileName} starts at ${begin}, the one before ends at ${expected}: ${begin < expected ? 'overlaps' : 'holes'} are not allowed.`,
      );
    }
    expected = end;
  }
  if (expected > dataBytes) {
    const last = tensors.at(-1)?.name ?? '';
    throw new FormatError(
      'truncated',
      `${fileName} is cut off: tensor ${describeValue(last)} ends at ${expected}, the file has ${dataBytes} bytes of data. Get the file again.`,
    );
  }
  if (expected < dataBytes) {
    throw new FormatError(
      'corrupt',
      `${fileName} has ${dataBytes - expected} bytes that belong to no tensor; none are allowed.`,
    );
  }
}
