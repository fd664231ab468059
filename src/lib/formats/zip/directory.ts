/**
 * The central directory of a zip archive (APPNOTE 6.3.10, zip64 included), checked as a whole before
 * any byte is unpacked: names that stay inside a folder, sizes that a bomb would not have, entries
 * that do not share bytes. Pure over bytes; where they come from is the caller's affair.
 */
import { describeSize, describeValue } from '../describe';
import { FormatError } from '../errors';
import { checkEntryName, decodeEntryName } from './entry-name';

/** A model folder has some twenty files, an export of everything some hundreds. */
export const MAX_ENTRIES = 10_000;
/** Text packs 5 to 30 times, weights 1.1 times; bombs start at 1000. */
export const MAX_RATIO = 100;
/** What the ratio is not applied to: a small file of zeros is no bomb. */
export const RATIO_SLACK_BYTES = 1 << 20;
/** 10,000 entries with names of 1,600 characters. */
export const MAX_DIRECTORY_BYTES = 1 << 24;
/** The end record with the longest comment, and the zip64 locator before it. */
export const TAIL_BYTES = 22 + 0xffff + 20;
export const LOCAL_HEADER_BYTES = 30;
export const END64_BYTES = 56;

const SIGNATURE = { local: 0x04034b50, entry: 0x02014b50, end: 0x06054b50, end64: 0x06064b50 };
const LOCATOR64_SIGNATURE = 0x07064b50;

export interface DirectoryPlace {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly entryCount: number;
}

export interface ZipRecord {
  readonly name: string;
  readonly sizeBytes: number;
  readonly packedBytes: number;
  readonly isDeflated: boolean;
  readonly crc32: number;
  readonly localOffset: number;
}

/** A record whose bytes, local header included, lie before `endOffset`: what follows starts there. */
export interface PlacedRecord extends ZipRecord {
  readonly endOffset: number;
}

export interface ZipSource {
  readonly fileName: string;
  readonly fileSizeBytes: number;
}

const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** From the last TAIL_BYTES of the file: where the directory is, or where its zip64 record is. */
export function findDirectory(
  tail: Uint8Array,
  source: ZipSource,
): DirectoryPlace | { readonly end64Offset: number } {
  const view = viewOf(tail);
  let at = tail.byteLength - 22;
  while (at >= 0 && !isEndRecord(view, at)) at--;
  if (at < 0) {
    throw new FormatError(
      'wrong-format',
      `${source.fileName} (${describeSize(source.fileSizeBytes)}) has no zip directory at its end; it is cut off or no zip archive.`,
    );
  }
  const place = {
    entryCount: view.getUint16(at + 10, true),
    sizeBytes: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  };
  const hasLocator = at >= 20 && view.getUint32(at - 20, true) === LOCATOR64_SIGNATURE;
  if (hasLocator) return { end64Offset: readUint64(view, at - 12, source) };
  return checkPlace(place, source);
}

/** From the END64_BYTES at `end64Offset`. */
export function readEnd64(record: Uint8Array, source: ZipSource): DirectoryPlace {
  if (record.byteLength < END64_BYTES || viewOf(record).getUint32(0, true) !== SIGNATURE.end64) {
    throw corrupt(source, 'its zip64 end record is missing');
  }
  const view = viewOf(record);
  const place = {
    entryCount: readUint64(view, 32, source),
    sizeBytes: readUint64(view, 40, source),
    offset: readUint64(view, 48, source),
  };
  return checkPlace(place, source);
}

export function readDirectory(
  bytes: Uint8Array,
  place: DirectoryPlace,
  source: ZipSource,
): PlacedRecord[] {
  const view = viewOf(bytes);
  const records: ZipRecord[] = [];
  const names = new Set<string>();
  let at = 0;
  let total = 0;
  for (let i = 0; i < place.entryCount; i++) {
    if (at + 46 > bytes.byteLength || view.getUint32(at, true) !== SIGNATURE.entry) {
      throw corrupt(source, `its directory ends at entry ${i + 1} of ${place.entryCount}`);
    }
    const nameEnd = at + 46 + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const end = extraEnd + view.getUint16(at + 32, true);
    if (end > bytes.byteLength) throw corrupt(source, `entry ${i + 1} reaches past the directory`);
    const flags = view.getUint16(at + 8, true);
    const name = decodeEntryName(bytes.subarray(at + 46, nameEnd), (flags & 0x800) !== 0);
    const record = readRecord(view, at, nameEnd, extraEnd, name, source);
    at = end;
    // A folder is only a name that ends with a slash; files bring their folders with them.
    if (name.endsWith('/') && record.sizeBytes === 0) continue;
    checkEntryName(name, source.fileName);
    if (names.has(name)) throw corrupt(source, `${describeValue(name)} occurs twice`);
    names.add(name);
    total += record.sizeBytes;
    records.push(record);
  }
  checkBomb('all entries', total, source.fileSizeBytes, source);
  return placeRecords(records, place, source);
}

/** Where an entry's bytes start, from the LOCAL_HEADER_BYTES at `record.localOffset`. */
export function dataOffset(header: Uint8Array, record: PlacedRecord, source: ZipSource): number {
  const view = viewOf(header);
  if (header.byteLength < LOCAL_HEADER_BYTES || view.getUint32(0, true) !== SIGNATURE.local) {
    throw corrupt(source, `${describeValue(record.name)} is not where the directory says`);
  }
  const offset =
    record.localOffset + LOCAL_HEADER_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
  if (offset + record.packedBytes > source.fileSizeBytes) {
    throw new FormatError(
      'truncated',
      `${source.fileName} ends inside ${describeValue(record.name)}; get the file again.`,
    );
  }
  if (offset + record.packedBytes > record.endOffset) throw overlaps(record, source);
  return offset;
}

export const corrupt = (source: ZipSource, reason: string): FormatError =>
  new FormatError('corrupt', `${source.fileName} is a damaged zip archive: ${reason}.`);

function readRecord(
  view: DataView,
  at: number,
  nameEnd: number,
  extraEnd: number,
  name: string,
  source: ZipSource,
): ZipRecord {
  const quoted = describeValue(name);
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  if ((flags & 1) !== 0 || (method !== 0 && method !== 8)) {
    const found = (flags & 1) !== 0 ? 'encrypted' : `packed by method ${method}`;
    throw new FormatError(
      'unsupported',
      `${quoted} in ${source.fileName} is ${found}; stored and deflated entries without a password are allowed.`,
    );
  }
  // Upper half: Unix mode, where the archive was made by a Unix tool.
  const mode = view.getUint16(at + 40, true);
  if (view.getUint8(at + 5) === 3 && (mode & 0xf000) === 0xa000) {
    throw new FormatError(
      'unsafe-name',
      `${quoted} in ${source.fileName} is a symbolic link; only files are allowed.`,
    );
  }
  let packedBytes = view.getUint32(at + 20, true);
  let sizeBytes = view.getUint32(at + 24, true);
  let localOffset = view.getUint32(at + 42, true);
  for (let field = nameEnd; field + 4 <= extraEnd;) {
    const id = view.getUint16(field, true);
    let value = field + 4;
    field = value + view.getUint16(field + 2, true);
    if (id !== 1 || field > extraEnd) continue;
    const next = () => {
      if (value + 8 > field) throw corrupt(source, `${quoted} has a short zip64 field`);
      value += 8;
      return readUint64(view, value - 8, source);
    };
    if (sizeBytes === 0xffffffff) sizeBytes = next();
    if (packedBytes === 0xffffffff) packedBytes = next();
    if (localOffset === 0xffffffff) localOffset = next();
  }
  const isDeflated = method === 8;
  if (!isDeflated && packedBytes !== sizeBytes) {
    throw corrupt(source, `${quoted} is stored with ${packedBytes} bytes for ${sizeBytes}`);
  }
  checkBomb(quoted, sizeBytes, packedBytes, source);
  return {
    name,
    sizeBytes,
    packedBytes,
    isDeflated,
    crc32: view.getUint32(at + 16, true),
    localOffset,
  };
}

function checkBomb(what: string, sizeBytes: number, packed: number, source: ZipSource): void {
  if (sizeBytes <= packed * MAX_RATIO + RATIO_SLACK_BYTES) return;
  throw new FormatError(
    'too-large',
    `${source.fileName} would unpack ${what} from ${describeSize(packed)} to ${describeSize(sizeBytes)}; at most ${MAX_RATIO} times is allowed.`,
  );
}

/** In the order of the directory. The lengths in the local headers are checked when they are read. */
function placeRecords(
  records: readonly ZipRecord[],
  place: DirectoryPlace,
  source: ZipSource,
): PlacedRecord[] {
  const sorted = [...records].sort((a, b) => a.localOffset - b.localOffset);
  const ends = new Map(sorted.map((record, i) => [record, sorted[i + 1]?.localOffset]));
  return records.map((record) => {
    const endOffset = ends.get(record) ?? place.offset;
    if (record.localOffset + LOCAL_HEADER_BYTES + record.packedBytes > endOffset)
      throw overlaps(record, source);
    return { ...record, endOffset };
  });
}

const overlaps = ({ name }: ZipRecord, source: ZipSource): FormatError =>
  corrupt(source, `${describeValue(name)} overlaps what follows it`);

function checkPlace(place: DirectoryPlace, source: ZipSource): DirectoryPlace {
  if (place.entryCount > MAX_ENTRIES || place.sizeBytes > MAX_DIRECTORY_BYTES) {
    throw new FormatError(
      'too-large',
      `${source.fileName} has ${place.entryCount} entries in a directory of ${place.sizeBytes} bytes; at most ${MAX_ENTRIES} and ${MAX_DIRECTORY_BYTES} are allowed.`,
    );
  }
  if (place.offset + place.sizeBytes > source.fileSizeBytes) {
    throw corrupt(source, 'its directory lies outside the file');
  }
  return place;
}

const isEndRecord = (view: DataView, at: number): boolean =>
  view.getUint32(at, true) === SIGNATURE.end &&
  at + 22 + view.getUint16(at + 20, true) === view.byteLength;

function readUint64(view: DataView, at: number, source: ZipSource): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt(source, `it has a size of ${value}`);
  return Number(value);
}
