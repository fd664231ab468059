/**
 * Plan: PiSSA's factors against PEFT's and against weights whose singular values are known; tall, wide, of
 * rank 1, of full rank, of zeros; subspace iteration near the exact ones; OLoRA's factors against PEFT's, sign
 * for sign; QR of anything is orthonormal times triangular.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loraScale, parsePeftConfig, type LoraConfig } from '$lib/config';
import { tensorToFloat32 } from '$lib/formats';
import { adapterKey } from '$lib/peft';
import { householderQr } from '$lib/peft/householder-qr';
import { factorsOfWeight, type FactorOptions } from '$lib/peft/weight-factors';
import { goldenPath, openGolden, readJson, readTensors, relativeL2 } from '../goldens';
import { matrix, product, randomMatrix, transposed, type Matrix } from '../kernels/oracle/matmul';

/** Of the product B A and of singular values: factors are rounded to f32. */
const TOLERANCE = 1e-5;
/**
 * PEFT's SVD works in f32, and turns vectors by its rounding over the gap to the next singular value: 1.4 % of
 * the value in pissa-rslora, where PEFT's product is 1.6e-5 from that of a float64 SVD.
 */
const PEFT_TOLERANCE = 5e-5;

/** The factors' product and the singular values that they hold. */
function parts({ a, b }: { a: ArrayLike<number>; b: ArrayLike<number> }, rank: number) {
  const A = matrix(rank, a.length / rank, a);
  const B = matrix(b.length / rank, rank, b);
  const squared = (values: Float64Array) => values.reduce((sum, value) => sum + value * value, 0);
  const values = Float64Array.from({ length: rank }, (_, r) => {
    const row = A.data.subarray(r * A.columns, (r + 1) * A.columns);
    const column = B.data.filter((_, i) => i % rank === r);
    return Math.sqrt(squared(row) * squared(column));
  });
  return { product: product(B, A).data, values };
}

const factors = (weight: Matrix, options: Partial<FactorOptions>) =>
  factorsOfWeight(Float32Array.from(weight.data), [weight.rows, weight.columns], {
    rank: 4,
    method: 'pissa',
    scale: 1,
    seed: 1,
    ...options,
  });

/** A weight with these singular values, and its part of the largest `rank` of them. */
function known(rows: number, columns: number, values: readonly number[], rank: number) {
  const count = values.length;
  const u = householderQr(randomMatrix(rows, count, 1)).q.data;
  const v = householderQr(randomMatrix(columns, count, 2)).q.data;
  const part = (kept: number) => {
    const left = matrix(rows, count, u);
    left.data.forEach((value, i) => {
      left.data[i] = i % count < kept ? value * values[i % count] : 0;
    });
    return product(left, transposed(matrix(columns, count, v)));
  };
  return { weight: part(count), part: part(rank).data };
}

async function golden(name: string) {
  const folder = goldenPath(`methods/${name}/init-adapter`);
  const config = parsePeftConfig(readFileSync(`${folder}/adapter_config.json`, 'utf8'));
  const { model } = readJson<{ model: string }>(`methods/${name}/case.json`);
  const { checkpoint } = await openGolden(model);
  const tensors = readTensors(`${folder}/adapter_model.safetensors`);
  const paths = [...tensors.keys()]
    .filter((key) => key.endsWith('.lora_A.weight'))
    .map((key) => key.slice('base_model.model.'.length, -'.lora_A.weight'.length));
  return {
    config: config as LoraConfig,
    layers: await Promise.all(
      paths.map(async (path) => {
        const stored = (await checkpoint.source(`${path}.weight`))!;
        const [rows, columns] = stored.shape;
        return {
          path,
          weight: matrix(rows, columns, tensorToFloat32(stored.bytes, stored.dtype)),
          a: tensors.get(adapterKey(path, 'lora_A.weight'))!.floats,
          b: tensors.get(adapterKey(path, 'lora_B.weight'))!.floats,
        };
      }),
    ),
  };
}

describe('PiSSA', () => {
  it.each(['pissa', 'pissa-rslora'])("%s: has PEFT's product and singular values", async (name) => {
    const { config, layers } = await golden(name);
    expect(layers.length).toBeGreaterThan(1);
    for (const { path, weight, a, b } of layers) {
      const found = parts(factors(weight, { rank: config.r, scale: loraScale(config) }), config.r);
      const expected = parts({ a, b }, config.r);
      expect(relativeL2(found.product, expected.product), path).toBeLessThan(PEFT_TOLERANCE);
      expect(relativeL2(found.values, expected.values), path).toBeLessThan(TOLERANCE);
    }
  });

  it.each([
    [40, 9, 3],
    [9, 40, 3],
    [17, 17, 5],
    [33, 8, 1],
    [8, 33, 1],
    [12, 31, 12],
    [31, 12, 12],
    [1, 7, 1],
    [7, 1, 1],
  ])('takes the largest singular values of a weight %i by %i at rank %i', (rows, columns, rank) => {
    const values = Array.from({ length: Math.min(rows, columns) }, (_, k) => 3 / (1 + k));
    const { weight, part } = known(rows, columns, values, rank);
    const scale = 1.7;
    const { a, b } = factors(weight, { rank, scale });
    expect([a.length, b.length]).toEqual([rank * columns, rows * rank]);
    const found = parts({ a, b }, rank);
    // scale B A is the part itself.
    expect(
      relativeL2(
        found.product.map((x) => scale * x),
        part,
      ),
    ).toBeLessThan(TOLERANCE);
    expect(
      relativeL2(
        found.values.map((x) => scale * x),
        values.slice(0, rank),
      ),
    ).toBeLessThan(TOLERANCE);
    // Both carry the root: neither is longer than the other.
    for (let r = 0; r < rank; r++) {
      const row = a.subarray(r * columns, (r + 1) * columns);
      const column = b.filter((_, i) => i % rank === r);
      expect(Math.hypot(...row)).toBeCloseTo(Math.hypot(...column), 5);
    }
  });

  it('gives back a weight of full rank whose singular values span six decades', () => {
    const values = Array.from({ length: 7 }, (_, k) => 10 ** -k);
    const { weight, part } = known(7, 19, values, 7);
    const found = parts(factors(weight, { rank: 7 }), 7);
    expect(relativeL2(found.product, part)).toBeLessThan(TOLERANCE);
  });

  it('is zero, not NaN, for a weight of zeros and beyond the rank of a weight', () => {
    const { a, b } = factors(matrix(6, 9), { rank: 3 });
    expect([...a, ...b].every((value) => value === 0)).toBe(true);
    const { weight } = known(10, 13, [2, 1], 2);
    const found = factors(weight, { rank: 5 });
    expect([...found.a, ...found.b].every(Number.isFinite)).toBe(true);
    expect(relativeL2(parts(found, 5).product, weight.data)).toBeLessThan(TOLERANCE);
  });

  it.each([
    [60, 35],
    [35, 60],
  ])('pissa_niter_16 is near the exact factors of a weight %i by %i', (rows, columns) => {
    const values = Array.from({ length: 35 }, (_, k) => 0.7 ** k);
    const { weight, part } = known(rows, columns, values, 4);
    const iterated = parts(factors(weight, { method: 'pissa_niter_16' }), 4);
    expect(relativeL2(iterated.product, part)).toBeLessThan(TOLERANCE);
    expect(relativeL2(iterated.values, values.slice(0, 4))).toBeLessThan(TOLERANCE);
  });

  it('comes nearer with more rounds, and gives the same bits for a seed', () => {
    const values = Array.from({ length: 35 }, (_, k) => 0.95 ** k);
    const { weight, part } = known(60, 35, values, 4);
    const error = (method: FactorOptions['method'], seed = 1) =>
      relativeL2(parts(factors(weight, { method, seed }), 4).product, part);
    expect(error('pissa_niter_16')).toBeLessThan(error('pissa_niter_1') / 2);
    expect(error('pissa_niter_1')).toBeLessThan(1);
    const once = factors(weight, { method: 'pissa_niter_2' });
    expect(factors(weight, { method: 'pissa_niter_2' })).toEqual(once);
    expect(factors(weight, { method: 'pissa_niter_2', seed: 2 })).not.toEqual(once);
  });
});

describe('OLoRA', () => {
  it("has PEFT's factors, sign for sign", async () => {
    const { config, layers } = await golden('olora');
    expect(layers.length).toBeGreaterThan(1);
    for (const { path, weight, a, b } of layers) {
      const found = factors(weight, { method: 'olora', rank: config.r });
      expect(relativeL2(found.a, a), path).toBeLessThan(TOLERANCE);
      expect(relativeL2(found.b, b), path).toBeLessThan(TOLERANCE);
    }
  });

  it('does not divide by the scale: what is taken out of the base is scale B A', () => {
    const weight = randomMatrix(9, 7, 3);
    expect(factors(weight, { method: 'olora', scale: 3 })).toEqual(
      factors(weight, { method: 'olora', scale: 1 }),
    );
  });
});

describe('QR', () => {
  it.each([
    [1, 1],
    [7, 7],
    [13, 5],
    [5, 13],
    [40, 1],
    [1, 40],
  ])('of %i by %i is orthonormal times upper trapezoidal', (rows, columns) => {
    const source = randomMatrix(rows, columns, 5);
    const { q, r } = householderQr(source);
    const count = Math.min(rows, columns);
    const Q = matrix(rows, count, q.data);
    const R = matrix(count, columns, r.data);
    expect(relativeL2(product(Q, R).data, source.data)).toBeLessThan(1e-13);
    const unit = matrix(count, count);
    for (let i = 0; i < count; i++) unit.data[i * count + i] = 1;
    expect(relativeL2(product(transposed(Q), Q).data, unit.data)).toBeLessThan(1e-13);
    R.data.forEach((value, i) => {
      if (i % columns < Math.floor(i / columns)) expect(value).toBe(0);
    });
  });

  it('stopped early has the first columns and rows of the whole', () => {
    const source = randomMatrix(11, 8, 6);
    const whole = householderQr(source);
    const { q, r } = householderQr(source, 3);
    expect(r.data).toEqual(whole.r.data.subarray(0, 3 * 8));
    const first = whole.q.data.filter((_, i) => i % 8 < 3);
    expect(relativeL2(q.data, first)).toBeLessThan(1e-14);
  });

  it('of columns that depend on one another, and of zeros, is still orthonormal', () => {
    const twice = randomMatrix(9, 2, 7);
    const source = matrix(9, 4);
    for (let row = 0; row < 9; row++)
      for (let column = 0; column < 4; column++)
        source.data[row * 4 + column] = column === 3 ? 0 : twice.data[row * 2 + (column % 2)];
    const { q, r } = householderQr(source);
    const Q = matrix(9, 4, q.data);
    expect(relativeL2(product(Q, matrix(4, 4, r.data)).data, source.data)).toBeLessThan(1e-13);
    expect(
      relativeL2(product(transposed(Q), Q).data, [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]),
    ).toBeLessThan(1e-13);
  });
});
