/** ONNX models: the protobuf wire format, and the graph that is made of it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { onnxByteLength, parseOnnx, type OnnxGraph, type OnnxTensor } from '$lib/formats';
import { fuzzParser } from './fuzz-parser';
import { mutateBytes } from './mutate-bytes';

const golden = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../formats/goldens/${name}.onnx`, import.meta.url)));

function checkTensor({ elementType, dims, data, external }: OnnxTensor): void {
  const expected = onnxByteLength(elementType, dims);
  expect(expected).toBe(data ? data.byteLength : external?.length);
  if (!external) return;
  expect(external.location).not.toMatch(/[/\\]/);
  expect(Number.isSafeInteger(external.offset + external.length)).toBe(true);
  expect(external.offset).toBeGreaterThanOrEqual(0);
}

function checkGraph({ initializers, nodes }: OnnxGraph): void {
  initializers.forEach(checkTensor);
  for (const { attributes = [] } of nodes)
    for (const attribute of attributes) {
      if (attribute.kind === 'tensor') checkTensor(attribute.value);
      if (attribute.kind === 'graph') checkGraph(attribute.value);
    }
}

describe('hostile ONNX', () => {
  it('models are refused by code or hold tensors of the bytes that their dims need', async () => {
    const counts = await fuzzParser({
      title: 'ONNX',
      samples: ['every-kind', 'typed', 'runnable'].map(golden),
      mutate: mutateBytes,
      parse: parseOnnx,
      check: ({ graph }) => checkGraph(graph),
    });
    expect(counts.accepted).toBeGreaterThan(100);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['truncated', 'corrupt', 'unsupported', 'wrong-format']),
    );
  });
});
