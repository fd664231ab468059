/**
 * Plan: the merge formulas on one weight against float64: W + s B A at odd sizes, DoRA's rows stretched to
 * their magnitudes, a row of zeros left alone, IA3 on either side; a merge with a start that changes nothing.
 *
 * Sums are in float64, so that what is left is one rounding to f32: 6e-8 of the value.
 */
import { describe, expect, it } from 'vitest';
import { mergeLora, mergeScaling } from '$lib/peft';
import { columnScale } from '../kernels/oracle/column-scale';
import { doraNorm } from '../kernels/oracle/dora-norm';
import {
  matrix,
  product,
  randomMatrix,
  relativeError,
  scaledSum,
  transposed,
  type Matrix,
} from '../kernels/oracle/matmul';

const TOLERANCE = 1e-7;
const floats = (m: Matrix) => Float32Array.from(m.data);

/** out, in, R */
const SIZES = [
  [1, 1, 1],
  [7, 11, 1],
  [17, 5, 3],
  [33, 64, 8],
] as const;

const problem = ([outFeatures, inFeatures, R]: readonly [number, number, number]) => ({
  weight: randomMatrix(outFeatures, inFeatures, 1),
  a: randomMatrix(R, inFeatures, 2),
  b: randomMatrix(outFeatures, R, 3),
  magnitude: randomMatrix(1, outFeatures, 4),
  scale: 1.7,
});
type Problem = ReturnType<typeof problem>;

function merged({ weight, a, b, scale }: Problem, magnitude?: Matrix): Float32Array {
  const values = floats(weight);
  mergeLora(values, [weight.rows, weight.columns], {
    a: floats(a),
    b: floats(b),
    scale,
    rank: a.rows,
    magnitude: magnitude && floats(magnitude),
  });
  return values;
}

describe('merging', () => {
  it.each(SIZES)('adds scale B A: out %i, in %i, R %i', (...size) => {
    const p = problem(size);
    const expected = scaledSum(p.scale, product(p.b, p.a), p.weight).data;
    expect(relativeError(merged(p), expected)).toBeLessThan(TOLERANCE);
  });

  it.each(SIZES)('stretches rows to their magnitudes: out %i, in %i, R %i', (...size) => {
    const p = problem(size);
    const sum = scaledSum(p.scale, product(p.b, p.a), p.weight);
    const { factor } = doraNorm(p.weight, p.a, p.b, p.scale, p.magnitude.data);
    const turned = transposed(sum);
    const expected = transposed(
      matrix(turned.rows, turned.columns, columnScale(turned.data, factor)),
    ).data;
    const found = merged(p, p.magnitude);
    expect(relativeError(found, expected)).toBeLessThan(TOLERANCE);
    for (let row = 0; row < size[0]; row++)
      expect(Math.hypot(...found.subarray(row * size[1], (row + 1) * size[1]))).toBeCloseTo(
        Math.abs(p.magnitude.data[row]),
        5,
      );
  });

  it('leaves a row of zeros zero, and stretches the others', () => {
    const p = problem([3, 5, 2]);
    p.weight.data.fill(0, 5, 10);
    p.b.data.fill(0, 2, 4);
    const found = merged(p, p.magnitude);
    expect([...found.subarray(5, 10)]).toEqual([0, 0, 0, 0, 0]);
    expect(found.every(Number.isFinite)).toBe(true);
  });

  it('changes nothing before the first step: B is zero and the magnitudes are the norms', () => {
    const p = problem([9, 20, 3]);
    p.b.data.fill(0);
    expect(merged(p)).toEqual(floats(p.weight));
    const { inverseNorm } = doraNorm(p.weight, p.a, p.b, p.scale, p.magnitude.data);
    const norms = matrix(
      1,
      9,
      inverseNorm.map((value) => 1 / value),
    );
    expect(relativeError(merged(p, norms), p.weight.data)).toBeLessThan(2e-7);
  });

  it.each(SIZES)('scales rows or columns: out %i, in %i', (outFeatures, inFeatures) => {
    const weight = randomMatrix(outFeatures, inFeatures, 1);
    const [rows, columns] = [randomMatrix(1, outFeatures, 2), randomMatrix(1, inFeatures, 3)];
    const scaled = (factors: Matrix, side: 'input' | 'output') => {
      const values = floats(weight);
      mergeScaling(values, [outFeatures, inFeatures], floats(factors), side);
      return values;
    };
    weight.data.forEach((value, i) => {
      const [row, column] = [Math.floor(i / inFeatures), i % inFeatures];
      expect(scaled(rows, 'output')[i]).toBe(Math.fround(value * rows.data[row]));
      expect(scaled(columns, 'input')[i]).toBe(Math.fround(value * columns.data[column]));
    });
  });
});
