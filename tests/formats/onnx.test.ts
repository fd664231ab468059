import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  layoutExternalData,
  ONNX_ELEMENT_TYPE as T,
  parseOnnx,
  serializeOnnx,
  type OnnxModel,
  type OnnxTensor,
} from '$lib/formats';
import { expectFormatError } from './expect-error';

const read = (name: string) =>
  new Uint8Array(readFileSync(new URL(`./goldens/${name}.onnx`, import.meta.url)));
const bytesOf = (array: Float32Array | Int32Array | BigInt64Array) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const floats = (...values: number[]) => bytesOf(Float32Array.from(values));

/** The model that `every_kind` of goldens/make.py writes. */
const everyKind: OnnxModel = {
  irVersion: 10,
  producerName: 'inkstone',
  opsets: [
    { domain: '', version: 21 },
    { domain: 'com.microsoft', version: 1 },
  ],
  metadata: { key: '值' },
  graph: {
    name: 'every-kind',
    nodes: [
      {
        name: '/model/layers.0/every',
        opType: 'EveryKind',
        domain: 'com.microsoft',
        inputs: ['x', '', 'w'],
        outputs: ['y', 'z'],
        attributes: [
          { name: 'alpha', kind: 'float', value: Math.fround(0.1) },
          { name: 'zero_float', kind: 'float', value: 0 },
          { name: 'axis', kind: 'int', value: -1 },
          { name: 'zero', kind: 'int', value: 0 },
          { name: 'large', kind: 'int', value: 2n ** 62n },
          { name: 'mode', kind: 'string', value: 'ink 砚' },
          {
            name: 'value',
            kind: 'tensor',
            value: { name: 't', elementType: T.FLOAT, dims: [2], data: floats(1.5, -2) },
          },
          { name: 'scales', kind: 'floats', value: [0.5, -1] },
          { name: 'pads', kind: 'ints', value: [0, 1, -2, 2n ** 63n - 1n] },
          { name: 'names', kind: 'strings', value: ['a', '', '乙'] },
        ],
      },
    ],
    inputs: [
      { name: 'x', elementType: T.INT64, shape: ['batch_size', 'sequence', 64] },
      { name: 's', elementType: T.FLOAT, shape: [] },
    ],
    outputs: [
      { name: 'y', elementType: T.FLOAT16, shape: [null, 0] },
      { name: 'z', elementType: T.BOOL },
    ],
    initializers: [
      { name: 'w', elementType: T.FLOAT, dims: [2, 2], data: floats(1, 2, 3, 4) },
      { name: 'u8', elementType: T.UINT8, dims: [3], data: Uint8Array.of(0, 127, 255) },
      { name: 'i32', elementType: T.INT32, dims: [1], data: bytesOf(Int32Array.of(-7)) },
      {
        name: 'i64',
        elementType: T.INT64,
        dims: [2],
        data: bytesOf(BigInt64Array.of(-1n, 2n ** 40n)),
      },
      { name: 'bool', elementType: T.BOOL, dims: [2], data: Uint8Array.of(1, 0) },
      { name: 'f16', elementType: T.FLOAT16, dims: [2], data: Uint8Array.of(0, 0x3c, 0, 0xb8) },
      { name: 'bf16', elementType: T.BFLOAT16, dims: [1], data: Uint8Array.of(0x80, 0x3f) },
      { name: 'u4', elementType: T.UINT4, dims: [3], data: Uint8Array.of(0x21, 0x0f) },
      { name: 'i4', elementType: T.INT4, dims: [2, 2], data: Uint8Array.of(0x8f, 0x17) },
      { name: 'scalar', elementType: T.FLOAT, dims: [], data: floats(3) },
      { name: 'empty', elementType: T.FLOAT, dims: [0, 4], data: new Uint8Array(0) },
    ],
  },
};

const runnable: OnnxModel = {
  irVersion: 10,
  producerName: 'inkstone',
  opsets: [{ domain: '', version: 21 }],
  graph: {
    name: 'runnable',
    nodes: [
      { name: '/MatMul', opType: 'MatMul', inputs: ['x', 'w'], outputs: ['xw'] },
      { name: '/Add', opType: 'Add', inputs: ['xw', 'b'], outputs: ['y'] },
    ],
    inputs: [{ name: 'x', elementType: T.FLOAT, shape: ['n', 4] }],
    outputs: [{ name: 'y', elementType: T.FLOAT, shape: ['n', 3] }],
    initializers: [
      {
        name: 'w',
        elementType: T.FLOAT,
        dims: [4, 3],
        external: { location: 'model.onnx_data', offset: 4096, length: 48 },
      },
      { name: 'b', elementType: T.FLOAT, dims: [3], data: floats(1, 2, 3) },
    ],
  },
};

describe('onnx', () => {
  it('writes the bytes of the Python package: every attribute kind, element type and dimension', () => {
    expect(serializeOnnx(everyKind)).toEqual(read('every-kind'));
  });

  it('writes the bytes of the Python package: external data', () => {
    expect(serializeOnnx(runnable)).toEqual(read('runnable'));
  });

  it('reads back what the Python package wrote', () => {
    expect(parseOnnx(read('every-kind'))).toEqual(everyKind);
    expect(parseOnnx(read('runnable'))).toEqual(runnable);
  });

  it('reads typed fields as the bytes of raw_data, and subgraphs', () => {
    const { graph } = parseOnnx(read('typed'));
    const data = Object.fromEntries(graph.initializers.map((t) => [t.name, t.data]));
    expect(data.f).toEqual(floats(0.5, 1.5));
    expect(data.h).toEqual(Uint8Array.of(0, 0x3c, 0, 0xb8));
    expect(data.i).toEqual(bytesOf(Int32Array.of(5, -6)));
    const branch = graph.nodes[0].attributes?.[0];
    if (branch?.kind !== 'graph') throw new Error('the branch is no graph');
    expect(branch.value.nodes[0].attributes?.[0]).toMatchObject({
      kind: 'tensor',
      value: { data: bytesOf(BigInt64Array.of(1n, -2n)) },
    });
  });

  it('reads packed repeated numbers, which other writers make', () => {
    const ints = Uint8Array.of(0x42, 0x02, 0x05, 0x07); // field 8, two varints
    const attribute = [0x0a, 0x01, 0x61, ...ints, 0xa0, 0x01, 0x07];
    const node = [0x2a, attribute.length, ...attribute];
    const graph = [0x0a, node.length, ...node];
    const { nodes } = parseOnnx(Uint8Array.from([0x3a, graph.length, ...graph])).graph;
    expect(nodes[0].attributes).toEqual([{ name: 'a', kind: 'ints', value: [5, 7] }]);
  });

  it('keeps every 64-bit integer', () => {
    const int = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(fc.array(int), (values) => {
        const model = withInts(values);
        const attribute = parseOnnx(serializeOnnx(model)).graph.nodes[0].attributes?.[0];
        expect(attribute?.kind === 'ints' && attribute.value.map(BigInt)).toEqual(values);
      }),
    );
  });

  it('writes integers the same as numbers and as bigints', () => {
    for (const value of [0, 1, 127, 128, 2 ** 32, 2 ** 53 - 1, -1, -(2 ** 53 - 1)]) {
      expect(serializeOnnx(withInts([value]))).toEqual(serializeOnnx(withInts([BigInt(value)])));
    }
  });

  it('writes inline data of any size, nested or not', () => {
    for (const count of [4095, 4096, 4097, 70_000]) {
      const data = Uint8Array.from({ length: count }, (_, i) => i * 7);
      const tensor: OnnxTensor = { name: 'w', elementType: T.UINT8, dims: [count], data };
      const attribute = { name: 'value', kind: 'tensor' as const, value: tensor };
      const node = { ...runnable.graph.nodes[0], attributes: [attribute] };
      const graph = { ...runnable.graph, nodes: [node, node], initializers: [tensor, tensor] };
      const model = { ...runnable, graph };
      expect(parseOnnx(serializeOnnx(model))).toEqual(model);
    }
  });

  it('refuses to write wrong sizes, fractions and integers beyond 64 bits; the control passes', () => {
    const tensor = (dims: number[], sizeBytes: number): OnnxModel => ({
      ...runnable,
      graph: {
        ...runnable.graph,
        initializers: [{ name: 'w', elementType: T.FLOAT, dims, data: new Uint8Array(sizeBytes) }],
      },
    });
    expect(() => serializeOnnx(tensor([2], 8))).not.toThrow();
    expectFormatError(() => serializeOnnx(tensor([2], 7)), 'invalid-value', /"w" has 7 bytes.*8/);
    expectFormatError(() => serializeOnnx(tensor([-2], 8)), 'invalid-value', /no size in bytes/);
    expect(() => serializeOnnx(withInts([1]))).not.toThrow();
    expectFormatError(() => serializeOnnx(withInts([1.5])), 'invalid-value', /"pads" of node "n"/);
    expectFormatError(() => serializeOnnx(withInts([2n ** 63n])), 'invalid-value', /64-bit/);
  });

  it('refuses to read a file of another kind, cut off, or with a hostile length', () => {
    const good = read('runnable');
    expect(parseOnnx(good).graph.name).toBe('runnable');
    expectFormatError(() => parseOnnx(new Uint8Array(0)), 'wrong-format', /holds no ONNX graph/);
    expectFormatError(
      () => parseOnnx(good.subarray(0, 100)),
      'truncated',
      /bytes where 8\d are left/,
    );
    expectFormatError(
      () => parseOnnx(Uint8Array.of(0x3a, ...new Array<number>(9).fill(0xff), 0x01)),
      'truncated',
      /18446744073709551615 bytes where 0/,
    );
    expectFormatError(
      () => parseOnnx(Uint8Array.of(0x08, ...new Array<number>(11).fill(0x80))),
      'corrupt',
      /longer than ten bytes/,
    );
    expectFormatError(() => parseOnnx(new TextEncoder().encode('{"a":1}')), 'corrupt', /wire type/);
  });

  it('refuses external data outside the model folder, or of another size', () => {
    const external = (location: string, length = 48) =>
      patched('model.onnx_data', location.padEnd(15, '_'), length);
    expect(external('model_onnx_data').graph.initializers).toHaveLength(2);
    for (const location of ['../../../secret', '/etc/etc/passwd', 'a\\b\\c']) {
      expectFormatError(() => external(location), 'corrupt', /without a folder/);
    }
    expectFormatError(() => external('model.onnx_data', 47), 'corrupt', /47 bytes where 48/);
  });

  it('survives graphs nested without end', () => {
    let inner = new Uint8Array(0);
    const wrap = (tag: number, bytes: Uint8Array) => {
      const length = bytes.length;
      return Uint8Array.of(
        tag,
        (length & 0x7f) | 0x80,
        ((length >> 7) & 0x7f) | 0x80,
        length >> 14,
        ...bytes,
      );
    };
    for (let i = 0; i < 64; i++) inner = wrap(0x0a, wrap(0x2a, wrap(0x32, inner)));
    expectFormatError(() => parseOnnx(wrap(0x3a, inner)), 'unsupported', /graphs nested/);
  });
});

describe('external data layout', () => {
  it('starts every tensor on a page and ends with the last one', () => {
    const { offsets, fileSizeBytes } = layoutExternalData([
      { name: 'a', sizeBytes: 1 },
      { name: 'b', sizeBytes: 4096 },
      { name: 'empty', sizeBytes: 0 },
      { name: 'c', sizeBytes: 5000 },
    ]);
    expect([...offsets]).toEqual([
      ['a', 0],
      ['b', 4096],
      ['empty', 8192],
      ['c', 8192],
    ]);
    expect(fileSizeBytes).toBe(13192);
  });

  it('refuses a name twice and a size that is none', () => {
    const tensor = { name: 'a', sizeBytes: 8 };
    expect(layoutExternalData([tensor]).fileSizeBytes).toBe(8);
    expectFormatError(() => layoutExternalData([tensor, tensor]), 'invalid-value', /"a" of 8/);
    expectFormatError(
      () => layoutExternalData([{ name: 'a', sizeBytes: -1 }]),
      'invalid-value',
      /-1 bytes/,
    );
  });
});

function withInts(value: readonly (number | bigint)[]): OnnxModel {
  const node = {
    name: 'n',
    opType: 'Pad',
    inputs: [],
    outputs: [],
    attributes: [{ name: 'pads', kind: 'ints' as const, value }],
  };
  return { ...runnable, graph: { ...runnable.graph, nodes: [node] } };
}

/** The runnable golden with another location (of the same length) and length of its external data. */
function patched(from: string, to: string, length: number): OnnxModel {
  const text = Buffer.from(read('runnable')).toString('latin1');
  const changed = text.replace(from, to).replace('length\x12\x0248', `length\x12\x02${length}`);
  return parseOnnx(new Uint8Array(Buffer.from(changed, 'latin1')));
}
