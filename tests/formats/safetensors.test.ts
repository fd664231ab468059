/** The safetensors header, index and writer. One long file, because each refusal stands beside the control that passes. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FormatError,
  MAX_HEADER_LENGTH,
  missingShards,
  parseSafetensorsHeader,
  parseSafetensorsIndex,
  SAFETENSORS_DTYPES,
  safetensorsByteLength,
  safetensorsHeaderEnd,
  serializeSafetensors,
  streamSafetensors,
  type SafetensorsInput,
} from '$lib/formats';
import { expectFormatError } from './expect-error';

const golden = new Uint8Array(
  readFileSync(new URL('./goldens/mixed.safetensors', import.meta.url)),
);

const parse = (bytes: Uint8Array, fileSizeBytes = bytes.byteLength) =>
  parseSafetensorsHeader(bytes, { fileName: 'm.safetensors', fileSizeBytes });

/** A file from a header written by hand, with `dataBytes` zeros behind it. */
function fileOf(header: unknown, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(
    typeof header === 'string' ? header : JSON.stringify(header),
  );
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

const a = { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] };
const b = { dtype: 'I64', shape: [1], data_offsets: [24, 32] };

function inputsOf(bytes: Uint8Array): SafetensorsInput[] {
  const { tensors, dataOffset } = parse(bytes);
  return tensors.map(({ name, dtype, shape, begin, end }) => ({
    name,
    dtype,
    shape,
    data: bytes.subarray(dataOffset + begin, dataOffset + end),
  }));
}

describe('safetensors header', () => {
  it('reads a file of the Rust writer: all dtypes, a scalar, an empty tensor, names of any script', () => {
    const { tensors, metadata, dataOffset } = parse(golden);
    expect(metadata).toEqual({ format: 'pt' });
    expect(tensors.map(({ name }) => name)).toContain('权重');
    expect(tensors.find(({ name }) => name === 'b.weight')).toMatchObject({
      dtype: 'F32',
      shape: [2, 3],
    });
    expect(tensors.find(({ name }) => name === 'scalar')?.shape).toEqual([]);
    expect(tensors.find(({ name }) => name === 'empty')?.shape).toEqual([0, 4]);
    expect(dataOffset % 8).toBe(0);
  });

  it('needs only the first bytes of the file, and says how many', () => {
    const end = safetensorsHeaderEnd(golden.subarray(0, 8), {
      fileName: 'm',
      fileSizeBytes: golden.length,
    });
    expect(parse(golden.subarray(0, end), golden.length)).toEqual(parse(golden));
    expectFormatError(
      () => parse(golden.subarray(0, end - 1), golden.length),
      'truncated',
      /takes \d+ bytes and \d+ were given/,
    );
  });

  it('accepts the smallest files: no tensor, only metadata', () => {
    expect(parse(fileOf('{}')).tensors).toEqual([]);
    expect(parse(fileOf({ __metadata__: { a: 'b' } })).metadata).toEqual({ a: 'b' });
  });

  it('keeps names that objects treat specially', () => {
    const header =
      '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"__metadata__":{"__proto__":"x"}}';
    const { tensors, metadata } = parse(fileOf(header, 1));
    expect(tensors[0].name).toBe('__proto__');
    expect(Object.entries(metadata)).toEqual([['__proto__', 'x']]);
  });

  describe('refuses, each beside a control that differs in that one thing', () => {
    it('control', () => {
      expect(parse(fileOf({ a, b }, 32)).tensors).toHaveLength(2);
    });

    const refused: [what: string, file: () => Uint8Array, code: string, says: RegExp][] = [
      ['nothing at all', () => new Uint8Array(0), 'truncated', /0 bytes/],
      ['fewer bytes than the length takes', () => golden.subarray(0, 7), 'truncated', /7 bytes/],
      [
        'a header longer than upstream allows',
        () => {
          const file = fileOf('{}');
          new DataView(file.buffer).setBigUint64(0, BigInt(MAX_HEADER_LENGTH) + 1n, true);
          return file;
        },
        'too-large',
        /header of 100000001 bytes; at most 100000000/,
      ],
      [
        'a length beyond what a number holds',
        () => new Uint8Array(64).fill(0xff),
        'too-large',
        /18446744073709551615/,
      ],
      [
        'a header longer than the file',
        () => fileOf('{}').subarray(0, 9),
        'truncated',
        /2 bytes but has only 9 bytes/,
      ],
      [
        'a header that is no object',
        () => fileOf('[]'),
        'wrong-format',
        /does not start with "\{"/,
      ],
      ['an empty header', () => fileOf(''), 'wrong-format', /not a safetensors file/],
      ['a header that is no JSON', () => fileOf('{"a":'), 'corrupt', /is not JSON/],
      [
        'a header that is no UTF-8',
        () => {
          const file = fileOf('{"a":1}');
          file[10] = 0xff;
          return file;
        },
        'corrupt',
        /is not JSON/,
      ],
      [
        'brackets without end',
        () => fileOf(`{"a":${'['.repeat(100_000)}`),
        'corrupt',
        /deeper than 8/,
      ],
      [
        'a name given twice',
        () => fileOf(`{"a":${JSON.stringify(a)},"a":${JSON.stringify(a)}}`, 24),
        'corrupt',
        /names "a" twice/,
      ],
      [
        'a name given twice in different spelling',
        () => fileOf(`{"a":${JSON.stringify(a)},"\\u0061":${JSON.stringify(a)}}`, 24),
        'corrupt',
        /names "a" twice/,
      ],
      [
        'a field given twice',
        () => fileOf('{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', 1),
        'corrupt',
        /names "a.dtype" twice/,
      ],
      [
        'metadata that is no text',
        () => fileOf({ __metadata__: { n: 1 } }),
        'corrupt',
        /__metadata__.n .* is 1; only text/,
      ],
      [
        'metadata that is a list',
        () => fileOf({ __metadata__: [] }),
        'corrupt',
        /must be an object of texts/,
      ],
      [
        'a tensor that is a number',
        () => fileOf({ a: 3 }),
        'corrupt',
        /tensor "a" of m.safetensors is 3/,
      ],
      [
        'an unknown dtype',
        () => fileOf({ a: { ...a, dtype: 'F99' } }, 24),
        'unsupported',
        /tensor "a" .* has dtype "F99"; known are BOOL/,
      ],
      [
        'a dtype with a name of Object',
        () => fileOf({ a: { ...a, dtype: 'constructor' } }, 24),
        'unsupported',
        /"constructor"/,
      ],
      [
        'a negative dimension',
        () => fileOf({ a: { ...a, shape: [-2, -3] } }, 24),
        'corrupt',
        /shape \[-2,-3\]/,
      ],
      [
        'a fraction as dimension',
        () => fileOf({ a: { ...a, shape: [1.5, 4] } }, 24),
        'corrupt',
        /shape \[1.5,4\]/,
      ],
      [
        'a dimension as text',
        () => fileOf({ a: { ...a, shape: ['6'] } }, 24),
        'corrupt',
        /integers of 0 or more/,
      ],
      [
        'a shape that is missing',
        () => fileOf({ a: { dtype: 'F32', data_offsets: [0, 24] } }, 24),
        'corrupt',
        /shape nothing/,
      ],
      [
        'more dimensions than any tensor',
        () => fileOf({ a: { ...a, shape: Array(33).fill(1) } }, 24),
        'corrupt',
        /at most 32/,
      ],
      [
        'a product that overflows',
        () => fileOf({ a: { ...a, shape: [2 ** 40, 2 ** 40] } }, 24),
        'corrupt',
        /overflows/,
      ],
      [
        'a product that overflows before a zero',
        () => fileOf({ a: { dtype: 'F32', shape: [2 ** 50, 2 ** 50, 0], data_offsets: [0, 0] } }),
        'corrupt',
        /overflows/,
      ],
      [
        'bits that fill no whole byte',
        () => fileOf({ a: { dtype: 'F4', shape: [3], data_offsets: [0, 2] } }, 2),
        'corrupt',
        /no whole number of bytes/,
      ],
      [
        'an end before its begin',
        () => fileOf({ a: { ...a, data_offsets: [24, 0] } }, 24),
        'corrupt',
        /data_offsets \[24,0\]/,
      ],
      [
        'three offsets',
        () => fileOf({ a: { ...a, data_offsets: [0, 24, 24] } }, 24),
        'corrupt',
        /must be \[begin, end\]/,
      ],
      [
        'bytes that do not fit the shape',
        () => fileOf({ a: { ...a, data_offsets: [0, 20] } }, 20),
        'corrupt',
        /has 20 bytes; shape \[2,3\] of F32 takes 24/,
      ],
      [
        'a hole',
        () => fileOf({ a, b: { ...b, data_offsets: [25, 33] } }, 33),
        'corrupt',
        /"b" .* starts at 25.*ends at 24: holes/,
      ],
      ['a hole at the start', () => fileOf({ b }, 32), 'corrupt', /starts at 24.*ends at 0: holes/],
      [
        'an overlap',
        () => fileOf({ a, b: { ...b, data_offsets: [16, 24] } }, 24),
        'corrupt',
        /"b" .* starts at 16.*ends at 24: overlaps/,
      ],
      [
        'a file that is cut off',
        () => fileOf({ a, b }, 31),
        'truncated',
        /cut off: tensor "b" ends at 32, the file has 31/,
      ],
      [
        'bytes behind the last tensor',
        () => fileOf({ a, b }, 33),
        'corrupt',
        /1 bytes that belong to no tensor/,
      ],
    ];
    it.each(refused)('%s', (_, file, code, says) =>
      expectFormatError(() => parse(file()), code, says),
    );
  });

  it('finds a file cut off by its size alone, from the header', () => {
    const end = parse(golden).dataOffset;
    expectFormatError(
      () => parse(golden.subarray(0, end), golden.length - 1),
      'truncated',
      /cut off/,
    );
  });

  it('reads 20,000 tensors in a time that is not quadratic', () => {
    const header = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, i) => [
        `model.layers.${i}.weight`,
        { dtype: 'U8', shape: [1], data_offsets: [i, i + 1] },
      ]),
    );
    const file = fileOf(header, 20_000);
    const started = performance.now();
    expect(parse(file).tensors).toHaveLength(20_000);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('survives any header', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.nat(64), (json, dataBytes) => {
        try {
          parse(fileOf(json, dataBytes));
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('safetensors writer', () => {
  it('gives the bytes of the Rust writer, in whatever order the tensors come', () => {
    const inputs = inputsOf(golden);
    expect(serializeSafetensors(inputs, { format: 'pt' })).toEqual(golden);
    expect(serializeSafetensors(inputs.toReversed(), { format: 'pt' })).toEqual(golden);
  });

  it('gives back what was written, for any tensors', () => {
    const tensor = fc
      .record({
        name: fc.string({ unit: 'grapheme' }).filter((name) => name !== '__metadata__'),
        dtype: fc.constantFrom(
          ...SAFETENSORS_DTYPES.filter((d) => !/^F[46]/.test(d) || d === 'F64'),
        ),
        shape: fc.array(fc.nat(4), { maxLength: 4 }),
      })
      .map((info) => ({
        ...info,
        data: new Uint8Array(safetensorsByteLength(info.dtype, info.shape) ?? 0).fill(7),
      }));
    const tensors = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 8 });
    const metadata = fc.dictionary(fc.string(), fc.string());
    fc.assert(
      fc.property(tensors, metadata, (inputs, meta) => {
        const bytes = serializeSafetensors(inputs, meta);
        const byName = (x: { name: string }, y: { name: string }) => (x.name < y.name ? -1 : 1);
        expect(inputsOf(bytes).sort(byName)).toEqual([...inputs].sort(byName));
        expect(Object.entries(parse(bytes).metadata).sort()).toEqual(Object.entries(meta).sort());
        expect(parse(bytes).dataOffset % 8).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('streams the same bytes, reading each tensor when its turn comes', async () => {
    const started: string[] = [];
    const inputs = inputsOf(golden).map(({ data, ...info }) => ({
      ...info,
      read: async function* () {
        started.push(info.name);
        for (let i = 0; i < data.length; i += 5) yield data.subarray(i, i + 5);
      },
    }));
    const parts: number[] = [];
    for await (const chunk of streamSafetensors(inputs, { format: 'pt' })) parts.push(...chunk);
    expect(Uint8Array.from(parts)).toEqual(golden);
    expect(started).toEqual(parse(golden).tensors.map(({ name }) => name));
  });

  it('refuses to stream a tensor of another size than announced', async () => {
    const drain = async (sizeBytes: number) => {
      const read = () => new Uint8Array(sizeBytes);
      for await (const chunk of streamSafetensors([
        { name: 'w', dtype: 'F32', shape: [2], read },
      ])) {
        void chunk;
      }
    };
    await expect(drain(8)).resolves.toBeUndefined();
    await expect(drain(7)).rejects.toThrow(/tensor "w" has 7 bytes; shape \[2\] of F32 takes 8/);
    await expect(drain(9)).rejects.toThrow(/has 9 bytes/);
  });

  it('refuses duplicate and reserved names, wrong sizes and shapes; the control passes', () => {
    const w: SafetensorsInput = { name: 'w', dtype: 'F32', shape: [1], data: new Uint8Array(4) };
    expect(serializeSafetensors([w])).toHaveLength(8 + 56 + 4);
    expectFormatError(() => serializeSafetensors([w, w]), 'invalid-value', /"w" is given twice/);
    expectFormatError(
      () => serializeSafetensors([{ ...w, name: '__metadata__' }]),
      'invalid-value',
      /reserved name/,
    );
    expectFormatError(
      () => serializeSafetensors([{ ...w, data: new Uint8Array(3) }]),
      'invalid-value',
      /has 3 bytes.*takes 4/,
    );
    expectFormatError(
      () => serializeSafetensors([{ ...w, shape: [-1] }]),
      'invalid-value',
      /no size in bytes/,
    );
  });
});

describe('safetensors index', () => {
  const text = JSON.stringify({
    metadata: { total_size: 96 },
    weight_map: {
      a: 'model-00001-of-00002.safetensors',
      b: 'model-00002-of-00002.safetensors',
      c: 'model-00001-of-00002.safetensors',
    },
  });

  it('names the shards and which are missing', () => {
    const index = parseSafetensorsIndex(text);
    expect(index.totalSizeBytes).toBe(96);
    expect(index.weightMap.get('b')).toBe('model-00002-of-00002.safetensors');
    expect(index.shards).toHaveLength(2);
    expect(missingShards(index, index.shards)).toEqual([]);
    expect(missingShards(index, ['config.json', 'model-00001-of-00002.safetensors'])).toEqual([
      'model-00002-of-00002.safetensors',
    ]);
  });

  it('refuses shards that lie elsewhere, tensors named twice, and what is no index', () => {
    const of = (map: unknown) => () => parseSafetensorsIndex(JSON.stringify({ weight_map: map }));
    expect(of({ a: 'x.safetensors' })().shards).toEqual(['x.safetensors']);
    expectFormatError(of({ a: '../x.safetensors' }), 'unsafe-name', /"..\/x.safetensors"/);
    expectFormatError(of({ a: 'x.bin' }), 'unsafe-name', /ends in .safetensors/);
    expectFormatError(of({ a: 7 }), 'unsafe-name', /into 7/);
    expectFormatError(of({}), 'corrupt', /names no tensor/);
    expectFormatError(of([]), 'corrupt', /weight_map \[\]/);
    expectFormatError(() => parseSafetensorsIndex('{'), 'corrupt', /not JSON/);
    expectFormatError(
      () => parseSafetensorsIndex('{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}'),
      'corrupt',
      /"weight_map.a" twice/,
    );
  });
});
