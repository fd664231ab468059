/** What a hub or a mirror answers about a repository. */
import { describe, expect, it } from 'vitest';
import { chooseFiles, parseModelIndex } from '$lib/hub/model-index';
import { fuzzParser } from './fuzz-parser';
import { mutateJson } from './mutate-json';

const file = (rfilename: string) => ({ rfilename, size: 12, blobId: 'a'.repeat(40) });
const INDEX = {
  sha: '0123456789abcdef0123456789abcdef01234567',
  siblings: [
    file('config.json'),
    file('tokenizer.json'),
    file('README.md'),
    { ...file('model.safetensors'), lfs: { sha256: 'b'.repeat(64), size: 4096, pointerSize: 130 } },
  ],
};
const SHARDED = {
  ...INDEX,
  siblings: [
    ...INDEX.siblings.slice(0, 2),
    file('model.safetensors.index.json'),
    file('model-00001-of-00002.safetensors'),
    file('model-00002-of-00002.safetensors'),
  ],
};

describe('hostile answers of a hub', () => {
  it('are refused by code or name files of one folder, each once, with sizes and hashes that can be', async () => {
    const counts = await fuzzParser({
      title: 'model index',
      samples: [JSON.stringify(INDEX), JSON.stringify(SHARDED)],
      mutate: (random, text) => mutateJson(random, JSON.parse(text)),
      parse(text) {
        const index = parseModelIndex(text, 'owner/name');
        return { index, chosen: chooseFiles(index, 'owner/name') };
      },
      check({ index, chosen }) {
        expect(index.commit).toMatch(/^[0-9a-f]{40}$/);
        expect(new Set(chosen.map(({ path }) => path)).size).toBe(chosen.length);
        for (const { path, sizeBytes, sha256, blobId } of chosen) {
          expect(path).toMatch(/^[\w.-]+$/);
          expect(path).not.toMatch(/^\.+$/);
          if (sizeBytes !== undefined) expect(Number.isSafeInteger(sizeBytes)).toBe(true);
          if (sha256 !== undefined) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
          if (blobId !== undefined) expect(blobId).toMatch(/^[0-9a-f]{40}$/);
        }
      },
    });
    expect(counts.accepted).toBeGreaterThan(1000);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['bad-answer', 'unsupported-files']),
    );
  });
});
