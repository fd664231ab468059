/** The catalogue's promises, the hosts, and the hash against the platform's own. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SUPPORTED_ARCHITECTURES } from '../../src/lib/config';
import { CATALOGUE, findInCatalogue, isAllowedUrl } from '../../src/lib/hub';
import { gitBlobId } from '../../src/lib/hub/download-file';
import { Sha256 } from '../../src/lib/formats/sha256';

describe('the catalogue', () => {
  it.each(CATALOGUE.map((entry) => [entry.id, entry] as const))(
    'describes %s in full',
    (id, entry) => {
      expect(id).toMatch(/^[a-z0-9.-]+$/);
      expect(SUPPORTED_ARCHITECTURES).toContain(entry.architecture);
      expect(entry.languages.length).toBeGreaterThan(0);
      expect(entry.licence).not.toBe('');
      // Weights of 16 bits, and a few megabytes beside them; Qwen3 repeats its embedding in the file.
      expect(entry.sizeBytes / entry.parameterCount).toBeGreaterThan(2);
      expect(entry.sizeBytes / entry.parameterCount).toBeLessThan(2.6);
      expect(entry.repo === undefined).toBe(entry.origin === 'bundled');
      if (entry.repo) expect(entry.repo).toMatch(/^[\w.-]+\/[\w.-]+$/);
    },
  );

  it('names each model once, and marks those that ask for consent', () => {
    expect(new Set(CATALOGUE.map(({ id }) => id)).size).toBe(CATALOGUE.length);
    expect(CATALOGUE.filter(({ gated }) => gated).map(({ id }) => id)).toEqual([
      'llama-3.2-1b-instruct',
    ]);
  });

  const weights = new URL('../../models/nano-lm/model.safetensors', import.meta.url);
  it.runIf(existsSync(weights))('tells the size of the bundled model as it is', () => {
    const headerBytes = Number(readFileSync(weights).readBigUInt64LE(0));
    const header = JSON.parse(
      readFileSync(weights)
        .subarray(8, 8 + headerBytes)
        .toString(),
    ) as Record<string, { shape?: number[] }>;
    const parameters = Object.values(header)
      .flatMap(({ shape }) => (shape ? [shape.reduce((a, b) => a * b, 1)] : []))
      .reduce((a, b) => a + b, 0);
    const entry = findInCatalogue('nano-lm');
    expect(entry?.parameterCount).toBe(parameters);
    expect(Math.abs((entry?.sizeBytes ?? 0) / statSync(weights).size - 1)).toBeLessThan(0.1);
  });
});

describe('hosts', () => {
  it.each([
    ['https://huggingface.co/x', true],
    ['https://hf-mirror.com/x', true],
    ['https://cdn-lfs.huggingface.co/x', true],
    ['https://cas-bridge.xethub.hf.co/x?y', true],
    ['http://localhost:8000/x', true],
    ['https://hf.co.evil.com/x', false],
    ['https://evilhf.co/x', false],
    ['http://cdn-lfs.huggingface.co/x', false],
    ['ftp://localhost/x', false],
    ['https://localhost.evil.com/x', false],
    ['data:text/plain,x', false],
    ['nonsense', false],
  ])('%s: %s', (url, allowed) => {
    expect(isAllowedUrl(url)).toBe(allowed);
  });
});

describe('hashes', () => {
  const bytes = (count: number): Uint8Array =>
    Uint8Array.from({ length: count }, (_, n) => (n * 131 + 7) % 256);

  it.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 127, 128, 1000, 65_537])(
    'SHA-256 of %i bytes is that of the platform, whole and in uneven pieces',
    (count) => {
      const data = bytes(count);
      const expected = createHash('sha256').update(data).digest('hex');
      expect(new Sha256().update(data).digest()).toBe(expected);
      const pieces = new Sha256();
      for (let at = 0, step = 1; at < count; at += step, step = (step * 3) % 97) {
        pieces.update(data.subarray(at, at + step));
      }
      expect(pieces.digest()).toBe(expected);
    },
  );

  it('a git blob id is that of git', async () => {
    // echo 'test content' | git hash-object --stdin, from the Git book.
    expect(await gitBlobId(new TextEncoder().encode('test content\n'))).toBe(
      'd670460b4b4aece5915caf5c68d12f560a9fe3e4',
    );
  });

  it('is fast enough not to be what a download waits for', () => {
    const data = bytes(1 << 20);
    const hash = new Sha256();
    // Processor time, since other tests run beside this one.
    const start = process.cpuUsage();
    for (let n = 0; n < 32; n++) hash.update(data);
    const { user } = process.cpuUsage(start);
    expect(32 / (user / 1e6)).toBeGreaterThan(15);
  });
});
