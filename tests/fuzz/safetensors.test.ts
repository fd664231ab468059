/** The header of a safetensors file, its index, and the reading of a tensor's bytes. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  parseSafetensorsHeader,
  parseSafetensorsIndex,
  safetensorsByteLength,
  serializeSafetensors,
  tensorToFloat32,
} from '$lib/formats';
import type { Xoshiro128 } from '$lib/config/random';
import { fuzzParser } from './fuzz-parser';
import { chance } from './hostile';
import { concat, mutateBytes } from './mutate-bytes';
import { encodeText } from './mutate-text';
import { mutateJson } from './mutate-json';

const golden = new Uint8Array(
  readFileSync(new URL('../formats/goldens/mixed.safetensors', import.meta.url)),
);
const floats = serializeSafetensors(
  [
    { name: 'a', dtype: 'F32', shape: [2, 3], data: new Uint8Array(24).fill(7) },
    { name: 'b', dtype: 'BF16', shape: [4], data: new Uint8Array(8).fill(0xff) },
    { name: 'c', dtype: 'F16', shape: [0, 5], data: new Uint8Array() },
    { name: 'd', dtype: 'I64', shape: [], data: new Uint8Array(8) },
  ],
  { format: 'pt' },
);

const headerOf = (file: Uint8Array) => {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  return { json: new TextDecoder().decode(file.subarray(8, 8 + length)), end: 8 + length };
};

/** Half the cases change the header as JSON under a length that is true, half any byte. */
function mutateFile(random: Xoshiro128, file: Uint8Array): Uint8Array {
  if (chance(random, 2)) return mutateBytes(random, file);
  const { json, end } = headerOf(file);
  const header = encodeText(random, mutateJson(random, JSON.parse(json)));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  return concat(length, header, file.subarray(end));
}

describe('hostile safetensors', () => {
  it('headers are refused by code or describe bytes that are in the file', async () => {
    const counts = await fuzzParser({
      title: 'safetensors header',
      samples: [golden, floats],
      mutate: mutateFile,
      parse: (bytes) =>
        parseSafetensorsHeader(bytes, { fileName: 'x.safetensors', fileSizeBytes: bytes.length }),
      check({ tensors, dataOffset, metadata }, bytes) {
        let at = 0;
        for (const { begin, end, dtype, shape } of tensors) {
          expect(begin).toBe(at);
          expect(end - begin).toBe(safetensorsByteLength(dtype, shape));
          at = end;
          const data = bytes.subarray(dataOffset + begin, dataOffset + end);
          if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16')
            expect(tensorToFloat32(data, dtype)).toHaveLength(
              shape.reduce((product, size) => product * size, 1),
            );
        }
        expect(dataOffset + at).toBe(bytes.length);
        expect(new Set(tensors.map(({ name }) => name)).size).toBe(tensors.length);
        for (const text of Object.values(metadata)) expect(typeof text).toBe('string');
      },
    });
    expect(counts.accepted).toBeGreaterThan(100);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['truncated', 'corrupt', 'too-large', 'unsupported', 'wrong-format']),
    );
  });

  it('indices are refused by code or name files beside them', async () => {
    const index = {
      metadata: { total_size: 1024 },
      weight_map: {
        'model.embed_tokens.weight': 'model-00001-of-00002.safetensors',
        'model.norm.weight': 'model-00002-of-00002.safetensors',
      },
    };
    const counts = await fuzzParser({
      title: 'safetensors index',
      samples: [JSON.stringify(index)],
      mutate: (random, text) => mutateJson(random, JSON.parse(text)),
      parse: (text) => parseSafetensorsIndex(text),
      check({ shards, weightMap, totalSizeBytes }) {
        expect(weightMap.size).toBeGreaterThan(0);
        for (const shard of shards) {
          expect(shard).toMatch(/\.safetensors$/);
          expect(shard).not.toMatch(/[/\\]/);
        }
        if (totalSizeBytes !== undefined) expect(totalSizeBytes).toBeGreaterThanOrEqual(0);
      },
    });
    expect(counts.accepted).toBeGreaterThan(100);
    expect(Object.keys(counts.refused)).toEqual(expect.arrayContaining(['corrupt', 'unsafe-name']));
  });
});
