import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanBuilder, type Gpu } from '$lib/gpu';
import { addForward, addInto } from '$lib/kernels/add';
import { foldGrid } from '$lib/kernels/add-elementwise';
import { KernelError } from '$lib/kernels/errors';
import { requestTestGpu } from '../dawn';
import { runPlan, uniform, upload } from './oracle/add-harness';

describe('add', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  it.each([[1], [4], [63], [64], [3, 7], [16, 17], [5, 4, 13]])(
    'is the rounded sum, bit for bit, at shape %j',
    async (...shape: number[]) => {
      const count = shape.reduce((a, b) => a * b);
      const [a, b] = [uniform(count, 1), uniform(count, 2)];
      const sum = Array.from(a, (value, i) => Math.fround(value + b[i]));
      const tensors = { a: upload(gpu, 'a', shape, a), b: upload(gpu, 'b', shape, b) };
      const given = gpu.createTensor('given', shape);
      const [out] = await runPlan(gpu, (plan) => {
        addForward(plan, { label: '/add', ...tensors, out: given });
        return [addForward(plan, { label: '/add', ...tensors })];
      });
      expect(Array.from(out)).toEqual(sum);
      expect(Array.from(await gpu.readFloats(given))).toEqual(sum);

      const record = (plan: PlanBuilder) => {
        addInto(plan, { label: '/add', from: tensors.a, into: tensors.b });
        return [tensors.b];
      };
      expect(Array.from((await runPlan(gpu, record, 1))[0])).toEqual(sum);
    },
  );

  it('folds a grid into y without gaps', () => {
    for (const workgroups of [1, 65535, 65536, 131071, 10_000_000]) {
      const [x, y] = foldGrid(workgroups);
      expect(x * y).toBeGreaterThanOrEqual(workgroups);
      expect(x).toBeLessThanOrEqual(65535);
      expect(y).toBeLessThanOrEqual(65535);
    }
  });

  it('reaches every element of a grid that is folded', async () => {
    const count = 64 * 65535 + 65;
    const a = gpu.createTensor('a', [count], 'f32', new Float32Array(count).fill(1));
    const b = gpu.createTensor('b', [count], 'f32', new Float32Array(count).fill(2));
    const [out] = await runPlan(gpu, (plan) => [addForward(plan, { label: '/add', a, b })], 1);
    expect(out.every((value) => value === 3)).toBe(true);
    gpu.destroyTensor(a);
    gpu.destroyTensor(b);
  });

  it('refuses other shapes and types by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const a = gpu.createTensor('a', [4, 8]);
    const b = gpu.createTensor('b', [4, 8]);
    const other = gpu.createTensor('other', [32]);
    const ids = gpu.createTensor('ids', [4, 8], 'i32');
    expect(() => addForward(plan, { label: '/add', a, b })).not.toThrow();
    expect(() => addInto(plan, { label: '/add', from: a, into: b })).not.toThrow();
    expect(() => addForward(plan, { label: '/add', a, b: other })).toThrow(KernelError);
    expect(() => addForward(plan, { label: '/add', a, b: other })).toThrow(/b \(other\).*\[4, 8\]/);
    expect(() => addForward(plan, { label: '/add', a: ids, b })).toThrow(/a \(ids\) is i32/);
    expect(() => addInto(plan, { label: '/add', from: other, into: a })).toThrow(/from \(other\)/);
  });
});
