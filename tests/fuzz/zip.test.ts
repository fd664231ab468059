/** Zip archives, read from bytes and streamed from a Blob, and whether the two agree. */
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { openZip, readZip, writeZip } from '$lib/formats';
import { fuzzParser } from './fuzz-parser';
import { concat, mutateBytes } from './mutate-bytes';

const encode = (text: string) => new TextEncoder().encode(text);

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return concat(...parts);
}

const files = {
  'config.json': encode('{"a": 1}'),
  'deep/er/名.txt': encode('words and words and words '.repeat(40)),
  empty: new Uint8Array(),
};
const stored = await bytesOf(
  writeZip(Object.entries(files).map(([name, data]) => ({ name, data }))),
);
/** Deflated entries, which the project's own writer never makes. */
const samples = [stored, zipSync(files)];

describe('hostile zip archives', () => {
  it('are refused by code or give entries of their announced size that share no bytes', async () => {
    const counts = await fuzzParser({
      title: 'zip',
      samples,
      mutate: mutateBytes,
      parse: (bytes) =>
        readZip(bytes).map((entry) => ({ ...entry, data: entry.read(), from: bytes.buffer })),
      check(entries) {
        for (const { name, sizeBytes, data } of entries) {
          expect(data.byteLength).toBe(sizeBytes);
          expect(name.split('/')).not.toContain('..');
          expect(name).not.toMatch(/^\/|^$|\\|:/);
        }
        expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length);
        const views = entries
          .map(({ data, from }) => (data.buffer === from ? data : undefined))
          .filter((data) => data !== undefined && data.byteLength > 0)
          .map((data) => [data!.byteOffset, data!.byteOffset + data!.byteLength])
          .sort(([a], [b]) => a - b);
        views.forEach(([start], i) => expect(start).toBeGreaterThanOrEqual(views[i - 1]?.[1] ?? 0));
      },
    });
    expect(counts.accepted).toBeGreaterThan(100);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['corrupt', 'wrong-format', 'truncated', 'unsupported', 'too-large']),
    );
  });

  it('streamed from a Blob are refused by code or give what reading from bytes gives', async () => {
    await fuzzParser({
      title: 'zip stream',
      samples,
      mutate: mutateBytes,
      async parse(bytes) {
        const entries = await openZip(new Blob([bytes as Uint8Array<ArrayBuffer>]));
        const found: [string, Uint8Array][] = [];
        for (const entry of entries) found.push([entry.name, await bytesOf(entry.stream())]);
        return found;
      },
      check(entries, bytes) {
        const whole = new Map(readZip(bytes).map((entry) => [entry.name, entry.read()]));
        for (const [name, data] of entries) expect(data).toEqual(whole.get(name));
      },
    });
  });
});
