import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanBuilder, type DType, type Gpu } from '$lib/gpu';
import { embeddingBackward, embeddingForward } from '$lib/kernels/embedding';
import { KernelError } from '$lib/kernels/errors';
import { requestTestGpu } from '../dawn';
import { asStored, relativeError, runPlan, sameBits, uniform, upload } from './oracle/add-harness';
import { addEmbeddingGradient, embedding } from './oracle/embedding';

describe('embedding', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const idsOf = (N: number, V: number, seed = 9) =>
    Array.from(uniform(N, seed, 0, V), (x) => Math.min(V - 1, Math.floor(x)));

  it.each<[DType, number, number, number]>([
    ['f32', 1, 1, 1],
    ['f32', 33, 7, 5],
    ['f32', 17, 101, 64],
    ['f16', 33, 7, 5],
    ['f16', 17, 101, 64],
    ['bf16', 33, 7, 5],
    ['bf16', 17, 101, 64],
  ])('copies rows of a table in %s exactly: N %i, V %i, C %i', async (dtype, N, V, C) => {
    const values = asStored(uniform(V * C, 1), dtype);
    const ids = idsOf(N, V);
    const weight = upload(gpu, 'weight', [V, C], values, dtype);
    const tensor = upload(gpu, 'ids', [N], ids, 'i32');
    const [out] = await runPlan(gpu, (plan) => [
      embeddingForward(plan, { label: '/embed', ids: tensor, weight, C, V }),
    ]);
    expect(Array.from(out)).toEqual(Array.from(embedding(ids, values, C)));
  });

  it('reads row 0 for an id outside the table, and sends its gradient there', async () => {
    const [V, C] = [5, 4];
    const ids = [-1, 5, 2147483647, 4, 0];
    const values = uniform(V * C, 1);
    const gradients = uniform(ids.length * C, 2);
    const tensor = upload(gpu, 'ids', [5], ids, 'i32');
    const weight = upload(gpu, 'weight', [V, C], values);
    const dOut = upload(gpu, 'dOut', [5, C], gradients);
    const dWeight = gpu.createTensor('dWeight', [V, C]);
    const [out, sums] = await runPlan(
      gpu,
      (plan) => {
        const out = embeddingForward(plan, { label: '/embed', ids: tensor, weight, C, V });
        embeddingBackward(plan, { label: '/embed', ids: tensor, dOut, dWeight });
        return [out, dWeight];
      },
      1,
    );
    expect(Array.from(out)).toEqual(Array.from(embedding(ids, values, C)));
    const expected = new Float64Array(V * C);
    addEmbeddingGradient(ids, gradients, expected, C);
    expect(relativeError(sums, expected)).toBeLessThan(1e-6);
  });

  it.each([
    [1, 1, 1],
    [64, 3, 7],
    [257, 40, 12],
    [100, 1000, 64],
    [500, 1, 4],
  ])('adds the gradients of equal ids: N %i, V %i, C %i', async (N, V, C) => {
    const ids = idsOf(N, V);
    const gradients = uniform(N * C, 2);
    const before = uniform(V * C, 3);
    const tensor = upload(gpu, 'ids', [N], ids, 'i32');
    const dOut = upload(gpu, 'dOut', [N, C], gradients);
    const once = async () => {
      const dWeight = upload(gpu, 'dWeight', [V, C], before);
      const record = (plan: PlanBuilder) => {
        embeddingBackward(plan, { label: '/embed', ids: tensor, dOut, dWeight });
        return [dWeight];
      };
      return (await runPlan(gpu, record, 1))[0];
    };
    const sums = await once();
    const expected = Float64Array.from(before);
    addEmbeddingGradient(ids, gradients, expected, C);
    // A chain of up to 500 terms of either sign: sqrt(500) roundings of 6e-8.
    expect(relativeError(sums, expected)).toBeLessThan(1e-5);
    expect(sameBits(sums.buffer, (await once()).buffer)).toBe(true);
  });

  it('gives the row of padding no gradient, and every other row its own', async () => {
    const [N, V, C] = [40, 5, 8];
    const ids = idsOf(N, V);
    expect(ids).toContain(2);
    const gradients = uniform(N * C, 2);
    const before = uniform(V * C, 3);
    const tensor = upload(gpu, 'ids', [N], ids, 'i32');
    const dOut = upload(gpu, 'dOut', [N, C], gradients);
    const dWeight = upload(gpu, 'dWeight', [V, C], before);
    const [sums] = await runPlan(
      gpu,
      (plan) => {
        embeddingBackward(plan, { label: '/embed', ids: tensor, dOut, dWeight, paddingId: 2 });
        return [dWeight];
      },
      1,
    );
    const expected = Float64Array.from(before);
    addEmbeddingGradient(ids, gradients, expected, C);
    expected.set(before.subarray(2 * C, 3 * C), 2 * C);
    expect(relativeError(sums, expected)).toBeLessThan(1e-5);
    expect(Array.from(sums.subarray(2 * C, 3 * C))).toEqual(
      Array.from(before.subarray(2 * C, 3 * C)),
    );
  });

  it('refuses other shapes and types by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const ids = gpu.createTensor('ids', [6], 'i32');
    const weight = gpu.createTensor('weight', [9, 4]);
    const dOut = gpu.createTensor('dOut', [6, 4]);
    const other = gpu.createTensor('other', [6, 5]);
    const forward = { label: '/embed', ids, weight, C: 4, V: 9 };
    const backward = { label: '/embed', ids, dOut, dWeight: weight };
    expect(() => embeddingForward(plan, forward)).not.toThrow();
    expect(() => embeddingBackward(plan, backward)).not.toThrow();
    expect(() => embeddingForward(plan, { ...forward, V: 10 })).toThrow(KernelError);
    expect(() => embeddingForward(plan, { ...forward, V: 10 })).toThrow(/weight.*\[10, 4\]/);
    expect(() => embeddingForward(plan, { ...forward, ids: weight })).toThrow(/ids \(weight\)/);
    const floats = gpu.createTensor('floats', [6]);
    expect(() => embeddingForward(plan, { ...forward, ids: floats })).toThrow(
      /ids \(floats\) is f32/,
    );
    expect(() => embeddingBackward(plan, { ...backward, dOut: other })).toThrow(/dOut \(other\)/);
    const half = gpu.createTensor('half', [9, 4], 'f16');
    expect(() => embeddingBackward(plan, { ...backward, dWeight: half })).toThrow(
      /dWeight \(half\) is f16/,
    );
  });
});
