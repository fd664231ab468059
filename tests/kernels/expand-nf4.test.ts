/**
 * Plan: the kernel's f32 equal those of formats/nf4.ts bit for bit, at sizes of whole words and blocks and at odd
 * ones, for the goldens of bitsandbytes too; the same bits twice; a product over them equals one over f32 of the
 * same values; refusals by name.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dequantizeNf4, nestAbsmax, quantizeNf4, restoreAbsmax } from '$lib/formats';
import { PlanBuilder, type Gpu } from '$lib/gpu';
import { KernelError } from '$lib/kernels/errors';
import { expandNf4, type Nf4Matrix } from '$lib/kernels/expand-nf4';
import { linearForward } from '$lib/kernels/linear';
import { requestTestGpu } from '../dawn';
import { goldenPath, readTensors } from '../goldens';
import { runPlan, uniform, upload } from './oracle/add-harness';

/** out, in */
const SIZES = [
  [1, 1],
  [1, 7],
  [3, 3],
  [1, 8],
  [5, 4],
  [7, 13],
  [1, 63],
  [1, 64],
  [13, 5],
  [9, 57],
  [64, 64],
  [33, 65],
  [127, 129],
] as const;

describe('expand-nf4', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const onGpu = (
    [outFeatures, inFeatures]: readonly [number, number],
    packed: Uint8Array,
    absmax: Float32Array,
  ): Nf4Matrix => ({
    packed: gpu.createTensor('packed', [Math.ceil(packed.length / 4)], 'u32', packed),
    absmax: gpu.createTensor('absmax', [absmax.length], 'f32', absmax),
    inFeatures,
    outFeatures,
  });

  const expand = (weight: Nf4Matrix) =>
    runPlan(gpu, (plan) => [expandNf4(plan, { label: '/q_proj', weight })]);

  it.each(SIZES)('equals the CPU bit for bit at %i by %i, the same bits twice', async (...size) => {
    const count = size[0] * size[1];
    const values = Float32Array.from(uniform(count, 1), (value, i) => value * (1 + (i % 91)));
    const { packed, absmax } = quantizeNf4(values);
    const restored = restoreAbsmax(nestAbsmax(absmax));
    const [found] = await expand(onGpu(size, packed, restored));
    expect(found).toEqual(dequantizeNf4({ packed, absmax: restored }, count));
  });

  it.each([
    ['nf4', 'even'],
    ['nf4', 'tail'],
    ['nf4', 'edges'],
    ['bitsandbytes', 'float32'],
  ])("gives bitsandbytes' values of %s.safetensors, %s", async (file, name) => {
    const golden = readTensors(goldenPath(`${file}.safetensors`));
    const { shape } = golden.get(`${name}.w`)!;
    const nested = {
      codes: golden.get(`${name}.absmax_codes`)!.bytes as Uint8Array<ArrayBuffer>,
      absmax: golden.get(`${name}.nested_absmax`)!.floats as Float32Array<ArrayBuffer>,
      offset: golden.get(`${name}.offset`)!.floats[0],
    };
    const packed = new Uint8Array(4 * Math.ceil((shape[0] * shape[1]) / 8));
    packed.set(golden.get(`${name}.packed`)!.bytes);
    const [found] = await expand(onGpu([shape[0], shape[1]], packed, restoreAbsmax(nested)));
    expect(found).toEqual(golden.get(`${name}.dequantised`)!.floats);
  });

  it('is read by a product as f32 of the same values are, bit for bit', async () => {
    const [N, size] = [19, [33, 65] as const];
    const { packed, absmax } = quantizeNf4(Float32Array.from(uniform(33 * 65, 2)));
    const x = upload(gpu, 'x', [N, 65], uniform(N * 65, 3));
    const values = upload(gpu, 'w', size, dequantizeNf4({ packed, absmax }, 33 * 65));
    const weight = onGpu(size, packed, absmax);
    const [found, expected] = await runPlan(gpu, (plan) => {
      const over = (tensor: typeof values) =>
        linearForward(plan, {
          label: '/q_proj',
          x,
          weight: { tensor, layout: 'out-in', inFeatures: 65, outFeatures: 33 },
        });
      return [over(expandNf4(plan, { label: '/q_proj', weight })), over(values)];
    });
    expect(found).toEqual(expected);
  });

  it('refuses other shapes and types by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const tensor = (label: string, count: number, dtype: 'f32' | 'u32') =>
      gpu.createTensor(label, [count], dtype);
    const good = {
      packed: tensor('packed', 9, 'u32'),
      absmax: tensor('absmax', 2, 'f32'),
      inFeatures: 10,
      outFeatures: 7,
    };
    const expand = (change: Partial<Nf4Matrix>) => () =>
      expandNf4(plan, { label: '/q', weight: { ...good, ...change } });
    expect(expand({})).not.toThrow();
    expect(expand({ packed: tensor('short', 8, 'u32') })).toThrow(KernelError);
    expect(expand({ packed: tensor('short', 8, 'u32') })).toThrow(
      /\/q \(expand-nf4\): packed \(short\) has shape \[8\], \[9\]/,
    );
    expect(expand({ packed: tensor('floats', 9, 'f32') })).toThrow(/packed \(floats\) is f32, u32/);
    expect(expand({ absmax: tensor('single', 1, 'f32') })).toThrow(/absmax \(single\).*\[2\]/);
    expect(expand({ inFeatures: 11 })).toThrow(/packed \(packed\).*\[10\]/);
  });
});
