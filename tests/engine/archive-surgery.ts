/** An archive taken apart, changed, and put together again, with a manifest that agrees or does not. */
import { createHash } from 'node:crypto';
import { zipSync } from 'fflate';
import { readZip } from '$lib/formats';

export type Parts = Map<string, Uint8Array>;

export const MANIFEST = 'inkstone.json';

export async function takeApart(file: File): Promise<Parts> {
  const entries = readZip(new Uint8Array(await file.arrayBuffer()));
  return new Map(entries.map((entry) => [entry.name, entry.read().slice()]));
}

/** As it is: whatever was changed contradicts the manifest. */
export const putTogether = (parts: Parts): File =>
  new File(
    [zipSync(Object.fromEntries(parts), { level: 0 }) as Uint8Array<ArrayBuffer>],
    'everything.zip',
  );

/** With a manifest that lists what there is: only what the entries say can be wrong. */
export function agreeing(parts: Parts, change: (manifest: object) => object = (m) => m): File {
  const manifest = JSON.parse(text(parts.get(MANIFEST)!)) as object;
  const files = [...parts]
    .filter(([path]) => path !== MANIFEST)
    .map(([path, bytes]) => ({
      path,
      sizeBytes: bytes.byteLength,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    }));
  const whole = new Map(parts);
  whole.set(MANIFEST, encode(JSON.stringify(change({ ...manifest, files }))));
  return putTogether(whole);
}

export function editJson(
  parts: Parts,
  path: string,
  edit: (value: Record<string, unknown>) => unknown,
): void {
  const value = JSON.parse(text(parts.get(path)!)) as Record<string, unknown>;
  parts.set(path, encode(JSON.stringify(edit(value) ?? value)));
}

export const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
export const encode = (words: string) => new TextEncoder().encode(words);
