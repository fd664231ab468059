import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Arena, PlanBuilder, type DType, type Gpu } from '$lib/gpu';
import { KernelError } from '$lib/kernels/errors';
import { fill } from '$lib/kernels/fill';
import { requestTestGpu } from '../dawn';

describe('fill', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  async function filled(count: number, dtype: DType, value: number): Promise<ArrayBuffer> {
    const out = gpu.createTensor('out', [count], dtype, new Uint8Array(count * 2).fill(0xab));
    const plan = new PlanBuilder(gpu, 'fill');
    fill(plan, { label: '/fill', out, value });
    const built = await plan.build(new Arena(gpu, 'arena'));
    await built.run();
    built.dispose();
    return gpu.readBytes(out);
  }

  it.each([1, 3, 4, 63, 257, 1024])('sets %i floats', async (count) => {
    for (const value of [0, -1.5, 3.25e-30])
      expect(new Float32Array(await filled(count, 'f32', value))).toEqual(
        new Float32Array(count).fill(value),
      );
  });

  it('sets whole numbers', async () => {
    expect(new Uint32Array(await filled(5, 'u32', 0))).toEqual(new Uint32Array(5));
    expect(new Uint32Array(await filled(5, 'u32', 4294967295))).toEqual(
      new Uint32Array(5).fill(4294967295),
    );
    expect(new Int32Array(await filled(4, 'i32', -100))).toEqual(new Int32Array(4).fill(-100));
  });

  it('sets 16-bit types to zero, an odd number of them too', async () => {
    for (const dtype of ['f16', 'bf16'] as const)
      expect(new Uint8Array(await filled(7, dtype, 0)).every((byte) => byte === 0)).toBe(true);
  });

  it('is a first write to a tensor of the plan', async () => {
    const plan = new PlanBuilder(gpu, 'fill');
    const out = plan.keep(plan.tensor('own', [9]));
    fill(plan, { label: '/fill', out, value: 2 });
    await (await plan.build(new Arena(gpu, 'arena'))).run();
    expect(await gpu.readFloats(out)).toEqual(new Float32Array(9).fill(2));
  });

  it('refuses a value that the type does not hold', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const out = (dtype: DType) => gpu.createTensor('out', [4], dtype);
    expect(() => fill(plan, { label: '/fill', out: out('u32'), value: 7 })).not.toThrow();
    expect(() => fill(plan, { label: '/fill', out: out('u32'), value: -7 })).toThrow(KernelError);
    expect(() => fill(plan, { label: '/fill', out: out('i32'), value: 0.5 })).toThrow(/i32.*0\.5/);
    expect(() => fill(plan, { label: '/fill', out: out('f16'), value: 1 })).toThrow(/f16.*1/);
  });
});
