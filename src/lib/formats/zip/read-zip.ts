/**
 * Reads zip archives: `readZip` from bytes, `openZip` from a Blob whose entries are streamed, so that
 * a model of several gigabytes never lies in memory. Nothing is unpacked before an entry is asked for.
 */
import { Inflate } from 'fflate';
import { describeValue } from '../describe';
import { crc32 } from './crc32';
import {
  corrupt,
  dataOffset,
  END64_BYTES,
  findDirectory,
  LOCAL_HEADER_BYTES,
  readDirectory,
  readEnd64,
  TAIL_BYTES,
  type PlacedRecord,
  type ZipSource,
} from './directory';

export interface ZipEntry {
  /** Relative path, checked: no part leads out of the folder it is unpacked into. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Unpacks and checks the CRC. Stored entries are views of the archive, not copies. */
  read(): Uint8Array;
}

export interface ZipStreamEntry {
  readonly name: string;
  readonly sizeBytes: number;
  /** Errors with a FormatError where the bytes do not have the announced size and CRC. */
  stream(): ReadableStream<Uint8Array>;
}

export function readZip(
  bytes: Uint8Array,
  { fileName = 'the archive' }: { readonly fileName?: string } = {},
): ZipEntry[] {
  const source = { fileName, fileSizeBytes: bytes.byteLength };
  const slice = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  const found = findDirectory(bytes.subarray(Math.max(0, bytes.byteLength - TAIL_BYTES)), source);
  const place =
    'end64Offset' in found ? readEnd64(slice(found.end64Offset, END64_BYTES), source) : found;
  const records = readDirectory(slice(place.offset, place.sizeBytes), place, source);
  return records.map((record) => ({
    name: record.name,
    sizeBytes: record.sizeBytes,
    read() {
      const offset = dataOffset(slice(record.localOffset, LOCAL_HEADER_BYTES), record, source);
      const packed = slice(offset, record.packedBytes);
      const data = record.isDeflated ? inflate(packed, record, source) : packed;
      checkCrc(crc32(data), record, source);
      return data;
    },
  }));
}

export async function openZip(
  blob: Blob,
  { fileName = 'the archive' }: { readonly fileName?: string } = {},
): Promise<ZipStreamEntry[]> {
  const source = { fileName, fileSizeBytes: blob.size };
  const slice = async (offset: number, length: number) =>
    new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
  const tailStart = Math.max(0, blob.size - TAIL_BYTES);
  const found = findDirectory(await slice(tailStart, TAIL_BYTES), source);
  const place =
    'end64Offset' in found ? readEnd64(await slice(found.end64Offset, END64_BYTES), source) : found;
  const records = readDirectory(await slice(place.offset, place.sizeBytes), place, source);
  const open = async (record: PlacedRecord) => {
    const header = await slice(record.localOffset, LOCAL_HEADER_BYTES);
    const offset = dataOffset(header, record, source);
    const packed = blob.slice(offset, offset + record.packedBytes).stream();
    const data = record.isDeflated
      ? packed.pipeThrough(new DecompressionStream('deflate-raw'))
      : packed;
    return data.getReader();
  };
  return records.map((record) => ({
    name: record.name,
    sizeBytes: record.sizeBytes,
    stream: () => checkedStream(() => open(record), record, source),
  }));
}

function checkedStream(
  open: () => Promise<ReadableStreamDefaultReader<Uint8Array>>,
  record: PlacedRecord,
  source: ZipSource,
): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let size = 0;
  let crc = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reader ??= await open();
        const { done, value } = await reader.read().catch((cause: unknown) => {
          throw corrupt(source, `${describeValue(record.name)} does not unpack (${String(cause)})`);
        });
        if (value) {
          size += value.byteLength;
          crc = crc32(value, crc);
          if (size > record.sizeBytes) {
            await reader.cancel();
            checkSize(size, record, source);
          }
          controller.enqueue(value);
        }
        if (done) {
          checkSize(size, record, source);
          checkCrc(crc, record, source);
          controller.close();
        }
      },
      cancel: (reason) => reader?.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Input is fed in small steps, so that a lying size is noticed before much is unpacked. */
const STEP_BYTES = 1 << 14;

function inflate(packed: Uint8Array, record: PlacedRecord, source: ZipSource): Uint8Array {
  const out = new Uint8Array(record.sizeBytes);
  let size = 0;
  const inflater = new Inflate((chunk) => {
    if (size + chunk.byteLength > out.byteLength)
      checkSize(size + chunk.byteLength, record, source);
    out.set(chunk, size);
    size += chunk.byteLength;
  });
  try {
    for (let at = 0; at < packed.byteLength; at += STEP_BYTES) {
      const end = Math.min(at + STEP_BYTES, packed.byteLength);
      inflater.push(packed.subarray(at, end), end === packed.byteLength);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unknown';
    throw corrupt(source, `${describeValue(record.name)} does not unpack (${reason})`);
  }
  checkSize(size, record, source);
  return out;
}

function checkSize(found: number, record: PlacedRecord, source: ZipSource): void {
  if (found === record.sizeBytes) return;
  const more = found > record.sizeBytes ? 'more than ' : '';
  throw corrupt(
    source,
    `${describeValue(record.name)} unpacks to ${more}${Math.min(found, record.sizeBytes)} bytes where ${record.sizeBytes} are announced`,
  );
}

function checkCrc(found: number, record: PlacedRecord, source: ZipSource): void {
  if (found === record.crc32) return;
  throw corrupt(source, `${describeValue(record.name)} has another checksum than announced`);
}
