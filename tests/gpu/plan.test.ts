import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Arena, PlanBuilder, read, update, write, type Gpu } from '$lib/gpu';
import { assignSlots } from '$lib/gpu/arena';
import { requestTestGpu } from '../dawn';

const TWICE = `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
struct Sizes { n: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < sizes.n) { out[id.x] = 2.0 * x[id.x]; }
}`;

describe('plan', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const double = (plan: PlanBuilder, x: Parameters<typeof read>[0], n: number) => {
    const out = plan.tensor(`twice ${x.label}`, [n]);
    plan.dispatch({
      label: '/twice',
      kernel: { name: 'twice', wgsl: TWICE },
      bindings: [read(x), write(out)],
      uniforms: [n],
      grid: [Math.ceil(n / 64)],
    });
    return out;
  };

  it('runs dispatches in order, reuses slots and returns to the baseline', async () => {
    const baseline = gpu.liveCount;
    const x = gpu.createTensor(
      'x',
      [101],
      'f32',
      Float32Array.from({ length: 101 }, (_, i) => i),
    );
    const plan = new PlanBuilder(gpu, 'sixteen');
    let y = x;
    for (let i = 0; i < 4; i++) y = double(plan, y, 101);
    plan.keep(y);
    expect(plan.predictBytes()).toBe(2 * 101 * 4);
    const arena = new Arena(gpu, 'arena');
    const built = await plan.build(arena);
    expect(arena.sizeBytes).toBe(2 * 101 * 4);
    await built.run();
    expect(Array.from(await gpu.readFloats(y))).toEqual(
      Array.from({ length: 101 }, (_, i) => 16 * i),
    );
    built.dispose();
    arena.dispose();
    gpu.destroyTensor(x);
    expect(gpu.liveCount).toBe(baseline);
  });

  it('leaves out what nobody reads when asked to, and nothing else', async () => {
    const x = gpu.createTensor('x', [4], 'f32', Float32Array.of(1, 2, 3, 4));
    const foreign = gpu.createTensor('foreign', [4]);
    const plan = new PlanBuilder(gpu, 'unread');
    const read1 = double(plan, x, 4);
    double(plan, double(plan, read1, 4), 4);
    const kept = plan.keep(double(plan, read1, 4));
    plan.dispatch({
      label: '/foreign',
      kernel: { name: 'twice', wgsl: TWICE },
      bindings: [read(x), write(foreign)],
      uniforms: [4],
      grid: [1],
    });
    expect(plan.dispatchCount).toBe(5);
    plan.dropUnread();
    expect(plan.dispatchCount).toBe(3);
    const arena = new Arena(gpu, 'arena');
    await (await plan.build(arena)).run();
    expect(Array.from(await gpu.readFloats(kept))).toEqual([4, 8, 12, 16]);
    expect(Array.from(await gpu.readFloats(foreign))).toEqual([2, 4, 6, 8]);
    arena.dispose();
  });

  it('refuses to read what nothing wrote, by name', async () => {
    const plan = new PlanBuilder(gpu, 'wrong');
    double(plan, plan.tensor('ghost', [4]), 4);
    await expect(plan.build(new Arena(gpu, 'a'))).rejects.toThrow(/ghost before anything wrote it/);
  });

  it('puts the compiler message into the error', async () => {
    const plan = new PlanBuilder(gpu, 'broken');
    const out = plan.tensor('out', [4]);
    plan.dispatch({
      label: '/broken',
      kernel: { name: 'broken', wgsl: 'fn main() { nonsense }' },
      bindings: [write(out)],
      grid: [1],
    });
    await expect(plan.build(new Arena(gpu, 'a'))).rejects.toThrow(
      /broken\.main does not compile: line 1/,
    );
  });

  it('throws a validation error of the device instead of logging it', async () => {
    const plan = new PlanBuilder(gpu, 'aliased');
    const out = double(plan, gpu.createTensor('x', [4]), 4);
    plan.dispatch({
      label: '/aliased',
      kernel: { name: 'twice', wgsl: TWICE },
      bindings: [read(out), update(out)],
      uniforms: [4],
      grid: [1],
    });
    const built = await plan.build(new Arena(gpu, 'a'));
    await expect(built.run()).rejects.toMatchObject({ code: 'validation' });
  });
});

describe('assignSlots', () => {
  const tensor = (label: string, sizeBytes: number) =>
    ({ label, sizeBytes, dtype: 'f32', shape: [sizeBytes / 4], memory: undefined }) as const;

  it('never gives two tensors that live together one slot', () => {
    const lifetimes = Array.from({ length: 200 }, (_, i) => ({
      tensor: tensor(`t${i}`, 4 * (1 + ((i * 37) % 50))),
      first: i,
      last: i + ((i * 13) % 9),
    }));
    const { sizes, slotOf } = assignSlots(lifetimes);
    for (const a of lifetimes)
      for (const b of lifetimes)
        if (a !== b && a.first <= b.last && b.first <= a.last)
          expect(slotOf.get(a.tensor)).not.toBe(slotOf.get(b.tensor));
    for (const { tensor: t } of lifetimes)
      expect(sizes[slotOf.get(t)!]).toBeGreaterThanOrEqual(t.sizeBytes);
  });

  it('takes no more than what lives at once where a large tensor comes after a small one', () => {
    // Layer after layer: a small tensor that stays, and a large one that does not.
    const lifetimes = Array.from({ length: 20 }, (_, layer) => [
      { tensor: tensor(`kept${layer}`, 16), first: 2 * layer, last: 100 },
      { tensor: tensor(`large${layer}`, 400), first: 2 * layer, last: 2 * layer + 1 },
    ]).flat();
    const { sizes } = assignSlots(lifetimes);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(20 * 16 + 400);
  });
});
