/**
 * 4-bit weights. Plan:
 * - whole blocks and a last one that is not full: no value moves by more than a step of its block, and
 *   the largest of a block stays what it was
 * - zeros stay zeros; what was on the grid stays; the padding is the code of zero
 */
import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from '../../src/lib/config/random';
import { dequantizeQ4, quantizeQ4 } from '../../src/lib/onnx-export/quantize-q4';

function randomMatrix(rows: number, columns: number): Float32Array {
  const random = new Xoshiro128(rows * 1000 + columns);
  return Float32Array.from({ length: rows * columns }, () => random.nextUnit() * 2 - 1);
}

describe.each([
  [1, 1],
  [3, 32],
  [5, 31],
  [4, 33],
  [7, 97],
])('a matrix of %i x %i', (rows, columns) => {
  const weight = randomMatrix(rows, columns);
  const packed = quantizeQ4(weight, rows, columns);
  const back = dequantizeQ4(packed, columns);

  it('moves no value by more than its block’s step and keeps the largest', () => {
    const blocks = Math.ceil(columns / 32);
    for (let row = 0; row < rows; row++)
      for (let block = 0; block < blocks; block++) {
        const begin = row * columns + block * 32;
        const end = Math.min(begin + 32, (row + 1) * columns);
        const step = Math.abs(packed.scales[row * blocks + block]);
        let largest = begin;
        for (let i = begin; i < end; i++) {
          // 15 codes on one side of 8, 7 on the other: the far end is cut by up to one step.
          expect(Math.abs(back[i] - weight[i])).toBeLessThanOrEqual(step * 1.0001);
          if (Math.abs(weight[i]) > Math.abs(weight[largest])) largest = i;
        }
        expect(back[largest]).toBeCloseTo(weight[largest], 6);
      }
  });

  it('has the shapes that MatMulNBits reads, padded with zeros', () => {
    const blocks = Math.ceil(columns / 32);
    expect(packed.codes.length).toBe(rows * blocks * 16);
    expect(packed.scales.length).toBe(rows * blocks);
    for (let i = columns; i < blocks * 32; i++) {
      const byte = packed.codes[(blocks - 1) * 16 + ((i % 32) >> 1)];
      expect(i % 2 === 0 ? byte & 0xf : byte >> 4).toBe(8);
    }
  });
});

it('keeps zeros and what is on the grid', () => {
  const zeros = quantizeQ4(new Float32Array(64), 2, 32);
  expect([...dequantizeQ4(zeros, 32)]).toEqual(new Array(64).fill(0));
  const grid = Float32Array.from({ length: 32 }, (_, i) => ((i % 16) - 8) * 0.25);
  expect([...dequantizeQ4(quantizeQ4(grid, 1, 32), 32)]).toEqual([...grid]);
});
