/**
 * Plan: products whose operands lie in images have the bits of `register`, which matmul.test.ts holds against float64:
 * all transpositions and storage types, sizes that fill tiles and rows of an image and do not, split and whole, with bias,
 * factor and accumulation, and with rows whose number only the GPU knows. Which products go that way; what the images
 * take is told beforehand, shared by the plans of an arena, and given back.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Arena, PlanBuilder, type DType, type Gpu, type Tensor } from '$lib/gpu';
import { matmul, type MatmulArgs } from '$lib/kernels/matmul';
import { bandTiles, matmulImages } from '$lib/kernels/matmul-images';
import type { Product } from '$lib/kernels/matmul-loads';
import {
  availableMatmulVariants,
  candidateMatmulVariants,
  type MatmulVariant,
} from '$lib/kernels/matmul-variant';
import { subgroupLanes } from '$lib/kernels/subgroup-lanes';
import { requestTestGpu } from '../dawn';
import { randomMatrix, roundedTo, runPlan, upload } from './oracle/matmul';

/**
 * Tiles of 32 by 32 filled and not, of 8 rows, turned round, K that is split; sides across k in panels (multiples of 32
 * elements, of 64 in 16 bits, at best twice that) and not, whole and split; images of one layer and of two.
 */
const SIZES = [
  [256, 64, 64],
  [129, 136, 72],
  [8, 512, 264],
  [512, 256, 8],
  [36, 1032, 40],
  [300, 264, 200],
  [96, 520, 192],
  [40, 512, 256],
  [64, 1024, 64],
  [544, 520, 576],
] as const;
const BOTH = [false, true];

describe('matmul of images', () => {
  let gpu: Gpu;
  const made: Tensor[] = [];
  const keep = (tensor: Tensor) => (made.push(tensor), tensor);
  const free = () => made.splice(0).forEach((tensor) => gpu.destroyTensor(tensor));
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());
  beforeEach((context) => {
    const lanes = subgroupLanes(gpu);
    if (lanes !== 8) context.skip(`the driver here has subgroups of ${lanes} lanes`);
  });

  async function bitsOf(variant: MatmulVariant, args: MatmulArgs): Promise<Uint32Array> {
    const copies = vi.spyOn(GPUCommandEncoder.prototype, 'copyBufferToTexture');
    const [out] = await runPlan(gpu, (plan) => [matmul(plan, { ...args, variant })]);
    expect(copies.mock.calls.length > 0, variant).toBe(variant === 'image');
    copies.mockRestore();
    return new Uint32Array(out.buffer, out.byteOffset, out.length);
  }

  async function expectSameBits(what: string, args: () => MatmulArgs): Promise<void> {
    const expected = await bitsOf('register', args());
    const found = await bitsOf('image', args());
    expect(found.length).toBe(expected.length);
    // vitest's own comparison takes a second a megabyte.
    const wrong = found.findIndex((word, i) => word !== expected[i]);
    expect(wrong, what).toBe(-1);
    free();
  }

  it('is what this device uses', () => {
    expect(candidateMatmulVariants(gpu)).toEqual(['image']);
    expect(availableMatmulVariants(gpu)).toEqual([
      ...['register', 'image', 'subgroup', 'tiled', 'broadcast'],
    ]);
  });

  for (const dtype of ['f32', 'f16', 'bf16'] as DType[])
    for (const transposeA of dtype === 'f32' ? BOTH : [false])
      for (const transposeB of BOTH)
        it(`has the bits of register: ${dtype}, transposeA ${transposeA}, transposeB ${transposeB}`, async () => {
          for (const [M, K, N] of SIZES) {
            const a = transposeA ? randomMatrix(K, M, 1) : randomMatrix(M, K, 1);
            const b = transposeB ? randomMatrix(N, K, 2) : randomMatrix(K, N, 2);
            // A row of the transposed must be whole texels; thin products along columns stay where they are, unless
            // they are turned round, which b in 16 bits is not.
            if (transposeA && (M % 4 !== 0 || N === 8)) continue;
            if (!transposeB && (M === 8 || (N === 8 && dtype !== 'f32'))) continue;
            const tensors = {
              a: keep(upload(gpu, 'a', a)),
              b: keep(upload(gpu, 'b', roundedTo(b, dtype), dtype)),
            };
            await expectSameBits(`${[M, K, N]}`, () => ({
              label: '/bits',
              ...{ ...tensors, transposeA, transposeB },
            }));
          }
        });

  it('has them with a bias, a factor and accumulation, whole and split', async () => {
    for (const [M, K, N] of [SIZES[1], SIZES[4], SIZES[7]]) {
      const a = keep(upload(gpu, 'a', randomMatrix(M, K, 3)));
      const b = keep(upload(gpu, 'b', randomMatrix(K, N, 4)));
      const values = Float32Array.from({ length: N }, (_, i) => i / 7 - 2);
      const bias = keep(gpu.createTensor('bias', [N], 'f32', values));
      await expectSameBits(`${[M, K, N]}`, () => ({
        label: '/bits',
        out: keep(upload(gpu, 'out', randomMatrix(M, N, 6))),
        ...{ a, b, bias, alpha: -0.37, accumulate: true },
      }));
    }
  });

  it('computes the live rows from any on, whatever lies behind them, and leaves the others', async () => {
    const [M, K, N, aFirst, outFirst, first] = [150, 104, 96, 3, 2, 5];
    const b = upload(gpu, 'b', randomMatrix(K, N, 8));
    for (const live of [0, 5, 6, 40, 1000]) {
      const a = randomMatrix(M + aFirst + 2, K, 7);
      const rowsHere = Math.max(0, Math.min(M, live - first));
      const poisoned = { ...a, data: a.data.slice().fill(NaN, (aFirst + rowsHere) * K) };
      const count = keep(gpu.createTensor('count', [1], 'u32', Uint32Array.of(live)));
      const run = async (variant: MatmulVariant) => {
        const out = keep(upload(gpu, 'out', randomMatrix(outFirst + M, N, 9)));
        const rows = { total: M, count, countWord: 0, first, aFirst, outFirst };
        const tensors = { a: keep(upload(gpu, 'a', poisoned)), b, out };
        await bitsOf(variant, { label: '/live', ...tensors, rows });
        return new Uint32Array(await gpu.readBytes(out));
      };
      expect(await run('image'), `${live} live`).toEqual(await run('register'));
      free();
    }
    gpu.destroyTensor(b);
  });

  it('gives each product its own operands, in one plan and in the next run', async () => {
    const values = [1, 2, 3].map((seed) => randomMatrix(128, 128, seed));
    const [a, b, c] = values.map((each, i) => keep(upload(gpu, `input ${i}`, each)));
    const build = (variant: MatmulVariant, plan: PlanBuilder) => {
      const first = matmul(plan, { label: '/first', a, b, variant });
      return plan.keep(matmul(plan, { label: '/second', a: first, b: c, variant }));
    };
    const run = async (variant: MatmulVariant) => {
      const plan = new PlanBuilder(gpu, 'chain');
      const arena = new Arena(gpu, 'chain');
      const out = build(variant, plan);
      const predicted = plan.predictBytes();
      const built = await plan.build(arena);
      expect(arena.sizeBytes).toBe(predicted);
      gpu.upload(a, Float32Array.from(values[0].data));
      await built.run();
      gpu.upload(a, Float32Array.from(values[2].data));
      await built.run();
      const result = await gpu.readBytes(out);
      built.dispose();
      arena.dispose();
      return new Uint32Array(result);
    };
    const baseline = [gpu.liveBytes, gpu.liveCount];
    expect(await run('image')).toEqual(await run('register'));
    expect([gpu.liveBytes, gpu.liveCount]).toEqual(baseline);
    free();
  });

  it('copies what an image shows already only where it was written since', async () => {
    const [a, b, c] = [1, 2, 3].map((seed) =>
      keep(upload(gpu, 'input', randomMatrix(128, 128, seed))),
    );
    const out = keep(upload(gpu, 'out', randomMatrix(128, 128, 4)));
    const run = async (variant: MatmulVariant) => {
      const results = await runPlan(gpu, (plan) => {
        const first = matmul(plan, { label: '/first', a, b, variant });
        const same = matmul(plan, { label: '/same', a, b: c, variant });
        const again = matmul(plan, { label: '/again', a, b: c, alpha: 2, variant });
        matmul(plan, { label: '/over', a: first, b: c, out, variant });
        const before = matmul(plan, { label: '/before', a: out, b: c, variant });
        matmul(plan, { label: '/write', a: same, b: c, out, variant });
        return [again, before, matmul(plan, { label: '/after', a: out, b: c, variant })];
      });
      return results.map((each) => new Uint32Array(each.buffer, each.byteOffset, each.length));
    };
    const copies = vi.spyOn(GPUCommandEncoder.prototype, 'copyBufferToTexture');
    const images = await run('image');
    // a, b; c; none; first; out; same; out again.
    expect(copies).toHaveBeenCalledTimes(7);
    copies.mockRestore();
    expect(images).toEqual(await run('register'));
    expect(images[1]).not.toEqual(images[2]);
    free();
  });
});

describe('which products go through images', () => {
  const MAX = 256;
  const product = (M: number, K: number, N: number, form: 'a-bt' | 'a-b' | 'at-b'): Product => ({
    ...{ M, N, K },
    a: form === 'at-b' ? { row: 1, column: M } : { row: K, column: 1 },
    b: form === 'a-bt' ? { row: 1, column: K } : { row: N, column: 1 },
    out: { row: N, column: 1 },
  });
  const loads = (each: Product, aOffset = 0, bType: 'f32' | 'bf16' = 'f32', max = MAX) =>
    matmulImages(each, aOffset, bType, max);
  const layout = (...args: Parameters<typeof loads>) => loads(...args)?.name;

  it.each([
    ['a-bt', 'k-k'],
    ['a-b', 'k-columns'],
    ['at-b', 'rows-columns'],
  ] as const)('%s of whole texels', (form, name) => {
    expect(layout(product(512, 512, 512, form))).toBe(name);
    expect(layout(product(512, 512, 512, form), 8, 'bf16')).toBe(name);
  });

  it.each([
    ['a turn of k is not whole', product(512, 508, 512, 'a-bt'), 0],
    ['the first element is inside a texel', product(512, 512, 512, 'a-bt'), 2],
    ['a row of b is not whole texels', product(512, 512, 510, 'a-b'), 0],
    ['a row of a transposed is not', product(510, 512, 512, 'at-b'), 0],
    ['there is little to compute', product(64, 64, 64, 'a-bt'), 0],
    ['b is used for few rows', product(16, 512, 512, 'a-b'), 0],
  ])('not where %s', (_, each, aOffset) => {
    expect(layout(each, aOffset)).toBeUndefined();
  });

  it('a row of 16-bit elements is whole in eights', () => {
    expect(layout(product(512, 512, 508, 'a-b'))).toBe('k-columns');
    expect(layout(product(512, 512, 508, 'a-b'), 0, 'bf16')).toBeUndefined();
  });

  it('a side across k is in panels where its rows are whole ones', () => {
    const of = (each: Product, bType: 'f32' | 'bf16' = 'f32') => {
      const { left, right } = loads(each, 0, bType)!;
      return [left, right];
    };
    expect(of(product(96, 512, 64, 'at-b'))).toEqual([
      { strides: { row: 32 * 512, column: 32 }, rowBytes: 96 * 4 },
      { strides: { row: 64, column: 64 * 512 }, rowBytes: 64 * 4 },
    ]);
    expect(of(product(100, 512, 72, 'at-b'))).toEqual([
      { strides: { row: 0, column: 100 } },
      { strides: { row: 72, column: 0 } },
    ]);
    const along = { strides: { row: 512, column: 1 } };
    const weight = { strides: { row: 64, column: 64 * 512 }, rowBytes: 192 * 2 };
    expect(of(product(96, 512, 192, 'a-b'), 'bf16')).toEqual([along, weight]);
    expect(of(product(96, 512, 160, 'a-b'), 'bf16')[1].rowBytes).toBeUndefined();
    expect(of(product(96, 504, 192, 'a-b'), 'bf16')[1].rowBytes).toBeUndefined();
    expect(of(product(96, 512, 64, 'a-bt'))).toEqual([along, { strides: { row: 1, column: 512 } }]);
  });

  it('not where an operand has more layers than an image may', () => {
    const large = product(512, 512, 2 ** 15, 'a-bt');
    expect(layout(large, 0, 'f32', 64)).toBe('k-k');
    expect(layout(large, 0, 'f32', 63)).toBeUndefined();
    expect(layout(large, 0, 'bf16', 32)).toBe('k-k');
  });

  it('tiles of rows go in even bands of at most 512 KB of a', () => {
    expect(bandTiles(512, 32, 16)).toBe(8);
    expect(bandTiles(512, 32, 17)).toBe(6);
    expect(bandTiles(512, 32, 3)).toBe(3);
    expect(bandTiles(1536, 32, 32)).toBe(2);
    expect(bandTiles(49152, 32, 32)).toBe(1);
    expect(bandTiles(8, 8, 1)).toBe(1);
  });
});
