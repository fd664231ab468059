/**
 * Writes safetensors files, whole or as a stream of chunks. The same tensors always give the same
 * bytes, and the bytes that upstream's Rust serialiser gives (`prepare` and `serialize`): larger
 * element types first, then by name, the header padded with spaces to a multiple of eight.
 */
import { describeValue } from '../describe';
import { FormatError } from '../errors';
import {
  dtypeRank,
  isSafetensorsDtype,
  safetensorsByteLength,
  type SafetensorsDtype,
} from './dtypes';
import { LENGTH_BYTES, MAX_HEADER_LENGTH } from './parse-header';

export interface SafetensorsInfo {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

export interface SafetensorsInput extends SafetensorsInfo {
  readonly data: Uint8Array;
}

type Chunks = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** A tensor whose bytes are made when their turn comes, so that a large file never lies in memory. */
export interface SafetensorsStreamInput extends SafetensorsInfo {
  readonly read: () => Chunks | Promise<Chunks>;
}

export interface SafetensorsPlan<T extends SafetensorsInfo> {
  /** Length and JSON, ready to be written first. */
  readonly header: Uint8Array<ArrayBuffer>;
  /** In the order of their bytes. */
  readonly tensors: readonly T[];
  readonly fileSizeBytes: number;
}

/** Orders the tensors and makes the header. Rejects bad names, shapes and dtypes by name. */
export function planSafetensors<T extends SafetensorsInfo>(
  tensors: readonly T[],
  metadata?: Readonly<Record<string, string>>,
): SafetensorsPlan<T> {
  const sorted = [...tensors].sort(
    (a, b) => dtypeRank(b.dtype) - dtypeRank(a.dtype) || compareBytes(a.name, b.name),
  );
  const fields: string[] = [];
  if (metadata) {
    const keys = Object.keys(metadata).sort(compareBytes);
    const pairs = keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`);
    fields.push(`"__metadata__":{${pairs.join(',')}}`);
  }
  const seen = new Set(['__metadata__']);
  let offset = 0;
  for (const { name, dtype, shape } of sorted) {
    if (seen.has(name)) {
      throw new FormatError(
        'invalid-value',
        `tensor ${describeValue(name)} is given twice or is a reserved name; a name may occur once.`,
      );
    }
    seen.add(name);
    const end = offset + byteLength(name, dtype, shape);
    fields.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${offset},${end}]}`,
    );
    offset = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(',')}}`);
  const padded = Math.ceil(json.byteLength / 8) * 8;
  if (padded > MAX_HEADER_LENGTH) {
    throw new FormatError(
      'too-large',
      `the header takes ${padded} bytes; readers accept at most ${MAX_HEADER_LENGTH}. Write several files.`,
    );
  }
  const header = new Uint8Array(LENGTH_BYTES + padded).fill(0x20, LENGTH_BYTES);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, LENGTH_BYTES);
  return { header, tensors: sorted, fileSizeBytes: header.byteLength + offset };
}

/** The whole file in memory; for adapters and small models. */
export function serializeSafetensors(
  tensors: readonly SafetensorsInput[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const plan = planSafetensors(tensors, metadata);
  for (const tensor of plan.tensors) {
    checkWritten(
      tensor,
      tensor.data.byteLength,
      byteLength(tensor.name, tensor.dtype, tensor.shape),
    );
  }
  const file = new Uint8Array(plan.fileSizeBytes);
  file.set(plan.header);
  let offset = plan.header.byteLength;
  for (const { data } of plan.tensors) {
    file.set(data, offset);
    offset += data.byteLength;
  }
  return file;
}

/** Header first, then each tensor's bytes as they are read. Checks the size of each on the way. */
export async function* streamSafetensors(
  tensors: readonly SafetensorsStreamInput[],
  metadata?: Readonly<Record<string, string>>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const plan = planSafetensors(tensors, metadata);
  yield plan.header;
  for (const tensor of plan.tensors) {
    const expected = byteLength(tensor.name, tensor.dtype, tensor.shape);
    const chunks = await tensor.read();
    let written = 0;
    for await (const chunk of chunks instanceof Uint8Array ? [chunks] : chunks) {
      written += chunk.byteLength;
      if (written > expected) checkWritten(tensor, written, expected);
      if (chunk.byteLength > 0) yield chunk;
    }
    checkWritten(tensor, written, expected);
  }
}

function byteLength(name: string, dtype: SafetensorsDtype, shape: readonly number[]): number {
  const counts = shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  const length =
    isSafetensorsDtype(dtype) && counts ? safetensorsByteLength(dtype, shape) : undefined;
  if (length === undefined) {
    throw new FormatError(
      'invalid-value',
      `tensor ${describeValue(name)} has shape ${describeValue(shape)} of ${describeValue(dtype)}, which has no size in bytes.`,
    );
  }
  return length;
}

function checkWritten(tensor: SafetensorsInfo, found: number, expected: number): void {
  if (found === expected) return;
  throw new FormatError(
    'invalid-value',
    `tensor ${describeValue(tensor.name)} has ${found} bytes; shape ${describeValue(tensor.shape)} of ${tensor.dtype} takes ${expected}.`,
  );
}

/** The order of UTF-8 bytes, as Rust compares names; UTF-16 order differs above U+FFFF. */
function compareBytes(a: string, b: string): number {
  const left = a[Symbol.iterator]();
  const right = b[Symbol.iterator]();
  for (;;) {
    const x = left.next();
    const y = right.next();
    if (x.done || y.done) return x.done === y.done ? 0 : x.done ? -1 : 1;
    const difference = (x.value.codePointAt(0) ?? 0) - (y.value.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
}
