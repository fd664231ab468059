import { strFromU8, strToU8, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { FormatError, openZip, readZip, writeZip, type ZipInput } from '$lib/formats';
import { crc32 } from '$lib/formats/zip/crc32';
import { expectFormatError } from './expect-error';

const text = '砚 '.repeat(500);
const packed = zipSync({
  'model/config.json': strToU8('{"a":1}'),
  'model/': new Uint8Array(0),
  '模型/权重.bin': [strToU8(text), { level: 9 }],
  stored: [Uint8Array.of(1, 2, 3), { level: 0 }],
});
const drain = async (stream: ReadableStream<Uint8Array>) =>
  new Uint8Array(
    await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );
const contents = (bytes: Uint8Array) =>
  Object.fromEntries(readZip(bytes).map((entry) => [entry.name, entry.read()]));

/** Offset of the first byte of the directory's n-th entry. */
function directoryEntry(zip: Uint8Array, index: number): number {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  let at = view.getUint32(zip.length - 22 + 16, true);
  for (let i = 0; i < index; i++) {
    at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true);
  }
  return at;
}

/** A copy with one field of a directory entry changed. */
function withField(zip: Uint8Array, index: number, offset: number, value: number, bytes = 4) {
  const copy = zip.slice();
  const at = directoryEntry(copy, index) + offset;
  const view = new DataView(copy.buffer);
  if (bytes === 4) view.setUint32(at, value, true);
  else view.setUint16(at, value, true);
  return copy;
}

describe('zip', () => {
  it('reads stored and deflated entries, names of any script, and skips folders', () => {
    const read = contents(packed);
    expect(Object.keys(read)).toEqual(['model/config.json', '模型/权重.bin', 'stored']);
    expect(strFromU8(read['模型/权重.bin'])).toBe(text);
    expect(read.stored).toEqual(Uint8Array.of(1, 2, 3));
    expect(readZip(zipSync({}))).toEqual([]);
  });

  it('streams the same from a Blob', async () => {
    const entries = await openZip(new Blob([packed as Uint8Array<ArrayBuffer>]));
    expect(entries.map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual(
      readZip(packed).map(({ name, sizeBytes }) => [name, sizeBytes]),
    );
    for (const [i, entry] of entries.entries()) {
      expect(await drain(entry.stream())).toEqual(readZip(packed)[i].read());
    }
  });

  it('writes bytes, blobs and streams, and reads them back', async () => {
    async function* files(): AsyncGenerator<ZipInput> {
      yield { name: 'a/bytes', data: strToU8('one') };
      yield { name: 'blob', data: new Blob(['two']) };
      yield { name: 'stream', data: new Blob(['three']).stream() };
      yield { name: 'empty', data: new Uint8Array(0) };
    }
    const zip = await drain(writeZip(files()));
    const read = Object.entries(contents(zip)).map(([name, data]) => [name, strFromU8(data)]);
    expect(read).toEqual([
      ['a/bytes', 'one'],
      ['blob', 'two'],
      ['stream', 'three'],
      ['empty', ''],
    ]);
  });

  it('writes the same bytes for the same files and date', async () => {
    const modified = new Date(2024, 0, 1);
    const files = [{ name: 'a', data: strToU8('one') }];
    expect(await drain(writeZip(files, { modified }))).toEqual(
      await drain(writeZip(files, { modified })),
    );
  });

  it('refuses to write unsafe and repeated names; the control passes', async () => {
    const write = (...names: string[]) =>
      drain(writeZip(names.map((name) => ({ name, data: new Uint8Array(1) }))));
    await expect(write('a', 'b/a')).resolves.toBeInstanceOf(Uint8Array);
    await expect(write('../a')).rejects.toThrow(/names an entry "..\/a"/);
    await expect(write('a', 'a')).rejects.toThrow(/two entries "a"/);
  });

  it('refuses names that lead out of a folder', () => {
    const named = (name: string) => zipSync({ [name]: Uint8Array.of(1) });
    for (const name of ['a..b/c', '...', 'a/.hidden', 'a b/c']) {
      expect(readZip(named(name))).toHaveLength(1);
    }
    for (const name of [
      '../a',
      'a/../b',
      '/etc/passwd',
      'a//b',
      './a',
      'C:/a',
      'a\\b',
      'a\0b',
      '..',
    ]) {
      expectFormatError(() => readZip(named(name)), 'unsafe-name', /names an entry/);
    }
  });

  it('reads unmarked GB18030 names, as Chinese Windows writes them', () => {
    const zip = zipSync({ ab: Uint8Array.of(1) });
    const at = directoryEntry(zip, 0) + 46;
    zip.set([0xd1, 0xe2], at); // 砚
    expect(readZip(zip)[0].name).toBe('砚');
  });

  it('refuses bombs before unpacking a byte; as much text is read', () => {
    const zeros = zipSync({ bomb: [new Uint8Array(20 << 20), { level: 9 }] });
    expect(zeros.length).toBeLessThan(30_000);
    expectFormatError(
      () => readZip(zeros),
      'too-large',
      /unpack "bomb" from \d+ KB to 21 MB; at most 100/,
    );
    const usual = zipSync({ zeros: [new Uint8Array(1 << 20), { level: 9 }] });
    expect(readZip(usual)[0].read()).toHaveLength(1 << 20);
  });

  it('refuses a size that lies, whether too small or too large', async () => {
    const entry = 2; // 模型/权重.bin
    const size = strToU8(text).length;
    for (const lie of [size - 1, size + 1, 0]) {
      const zip = withField(packed, entry, 24, lie);
      expectFormatError(() => contents(zip), 'corrupt', /bytes where \d+ are announced/);
      const streamed = await openZip(new Blob([zip]));
      await expect(drain(streamed[1].stream())).rejects.toThrow(FormatError);
    }
  });

  it('refuses entries that share bytes', () => {
    const first = 0;
    const overlapping = withField(packed, 3, 42, first);
    expectFormatError(() => readZip(overlapping), 'corrupt', /overlaps what follows/);
  });

  it('refuses encrypted entries, unknown methods, links, wrong checksums and repeated names', () => {
    expectFormatError(() => readZip(withField(packed, 0, 8, 1, 2)), 'unsupported', /encrypted/);
    expectFormatError(() => readZip(withField(packed, 0, 10, 12, 2)), 'unsupported', /method 12/);
    const link = withField(packed, 0, 38, 0xa1ff0000);
    link[directoryEntry(link, 0) + 5] = 3;
    expectFormatError(() => readZip(link), 'unsafe-name', /symbolic link/);
    expectFormatError(() => contents(withField(packed, 0, 16, 0)), 'corrupt', /checksum/);
    const twice = zipSync({ a1: Uint8Array.of(1), a2: Uint8Array.of(2) });
    twice[directoryEntry(twice, 1) + 47] = '1'.charCodeAt(0);
    expectFormatError(() => readZip(twice), 'corrupt', /"a1" occurs twice/);
  });

  it('refuses what is no archive, what is cut off, and more entries than a folder has', () => {
    expectFormatError(() => readZip(new Uint8Array(0)), 'wrong-format', /no zip directory/);
    expectFormatError(() => readZip(strToU8('a text')), 'wrong-format', /no zip directory/);
    expectFormatError(() => readZip(packed.subarray(0, -1)), 'wrong-format', /cut off or no zip/);
    const many = Object.fromEntries(
      Array.from({ length: 10_001 }, (_, i) => [`${i}`, new Uint8Array(0)]),
    );
    expectFormatError(() => readZip(zipSync(many)), 'too-large', /10001 entries/);
  });

  it('computes the CRC-32 of the standard, in pieces too', () => {
    const check = strToU8('123456789');
    expect(crc32(check)).toBe(0xcbf43926);
    expect(crc32(check.subarray(4), crc32(check.subarray(0, 4)))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });
});
