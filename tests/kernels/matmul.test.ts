/**
 * Plan: every variant but `image` (matmul-images.test.ts) x transposition x storage type x odd size against float64, small and large; bias, alpha and
 * accumulation, whole and split; rows whose number only the GPU knows; the same bits from run to run
 * and from variant to variant; refusals by name, each beside a call that is taken.
 *
 * Tolerance 1e-5 of the result's root mean square: K up to 1200 terms in -1 .. 1 added in f32 one after
 * another lose about sqrt(K) * 2^-24 of it. 16-bit storage is exact in f32, so it needs no more.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { DType, Gpu, Tensor } from '$lib/gpu';
import { matmul, splitCount, type MatmulArgs } from '$lib/kernels/matmul';
import { chooseMatmulVariants } from '$lib/kernels/matmul-choose';
import {
  availableMatmulVariants,
  candidateMatmulVariants,
  matmulVariantOf,
  setMatmulVariant,
  type MatmulVariant,
} from '$lib/kernels/matmul-variant';
import { requestTestGpu } from '../dawn';
import {
  product,
  randomMatrix,
  relativeError,
  roundedTo,
  runPlan,
  scaledSum,
  transposed,
  upload,
  withBias,
} from './oracle/matmul';

const TOLERANCE = 1e-5;

/**
 * One, primes, around the tiles of every variant (8, 16, 32, 64), and long K that is split; of each side both
 * multiples of 4, which are loaded four at a time, and others, which are not.
 */
const SIZES = [
  [1, 1, 1],
  [1, 5, 3],
  [3, 1, 2],
  [7, 13, 5],
  [15, 17, 31],
  [16, 16, 32],
  [17, 15, 33],
  [63, 64, 65],
  [65, 33, 63],
  [130, 47, 67],
  [8, 1001, 3],
  [3, 1200, 70],
  [4, 4, 4],
  [68, 5, 36],
  [36, 44, 33],
  [33, 1028, 68],
] as const;

/** For `b` in 16 bits, which only a load of `b` knows of; each layout is a compilation. */
const SIZES_OF_16_BITS = [
  [1, 1, 1],
  [17, 15, 33],
  [3, 1200, 70],
  [33, 1028, 68],
] as const;

/** Many tiles, one K for each load of four: whole quads and not. */
const LARGE_SIZES = [
  [260, 516, 512],
  [257, 521, 509],
] as const;

const VARIANTS: MatmulVariant[] = ['register', 'subgroup', 'tiled', 'broadcast'];
const BOTH = [false, true];

describe('matmul', () => {
  let gpu: Gpu;
  const made: Tensor[] = [];
  const keep = (tensor: Tensor) => (made.push(tensor), tensor);
  const free = () => made.splice(0).forEach((tensor) => gpu.destroyTensor(tensor));
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());
  const canRun = (variant: MatmulVariant) => availableMatmulVariants(gpu).includes(variant);

  for (const variant of VARIANTS)
    for (const dtype of ['f32', 'f16', 'bf16'] as DType[])
      it(`equals the float64 product: ${variant}, b in ${dtype}, all transpositions`, async (context) => {
        if (!canRun(variant)) return context.skip();
        // How `b` is stored does not touch `a`: one orientation of it saves compiling as many pipelines again.
        const ofA = dtype === 'f32' ? BOTH : [false];
        for (const [M, K, N] of dtype === 'f32' ? SIZES : SIZES_OF_16_BITS)
          for (const transposeA of ofA)
            for (const transposeB of BOTH) {
              const a = randomMatrix(M, K, 1);
              const b = roundedTo(randomMatrix(K, N, 2), dtype);
              const args = {
                label: '/product',
                a: keep(upload(gpu, 'a', transposeA ? transposed(a) : a)),
                b: keep(upload(gpu, 'b', transposeB ? transposed(b) : b, dtype)),
                transposeA,
                transposeB,
                variant,
              };
              const [out] = await runPlan(gpu, (plan) => [matmul(plan, args)]);
              expect(
                relativeError(out, product(a, b).data),
                `M ${M} K ${K} N ${N} transposeA ${transposeA} transposeB ${transposeB}`,
              ).toBeLessThan(TOLERANCE);
              free();
            }
      });

  for (const variant of VARIANTS)
    for (const [M, K, N] of [
      [19, 45, 37],
      [9, 1100, 21],
      [20, 48, 36],
      [12, 1100, 24],
    ])
      it(`alpha, bias and accumulation, ${variant}, ${[M, K, N]}`, async (context) => {
        if (!canRun(variant)) return context.skip();
        const a = randomMatrix(M, K, 3);
        const b = randomMatrix(K, N, 4);
        const bias = randomMatrix(1, N, 5);
        const before = randomMatrix(M, N, 6);
        const alpha = -0.37;
        const base = { label: '/product', a: upload(gpu, 'a', a), b: upload(gpu, 'b', b), variant };
        const biasTensor = gpu.createTensor('bias', [N], 'f32', Float32Array.from(bias.data));
        const zero = randomMatrix(M, N, 0);
        zero.data.fill(0);
        for (const withBiasTerm of BOTH)
          for (const accumulate of BOTH)
            for (const factor of [undefined, alpha]) {
              const out = upload(gpu, 'out', before);
              await runPlan(gpu, (plan) => [
                matmul(plan, {
                  ...base,
                  out,
                  accumulate,
                  alpha: factor,
                  bias: withBiasTerm ? biasTensor : undefined,
                }),
              ]);
              const scaled = scaledSum(factor ?? 1, product(a, b), accumulate ? before : zero);
              const expected = withBiasTerm ? withBias(scaled, bias.data) : scaled;
              expect(relativeError(await gpu.readFloats(out), expected.data)).toBeLessThan(
                TOLERANCE,
              );
            }
      });

  it('takes a bias in 16 bits, whole and split, of odd length', async () => {
    const [usual] = candidateMatmulVariants(gpu);
    const others = availableMatmulVariants(gpu).filter((variant) => variant !== usual);
    // How a bias is read is one text in all variants: each is tried once.
    for (const [variant, [M, K, N], dtype] of [
      ...(['f16', 'bf16'] as const).map((dtype) => [usual, [5, 9, 7], dtype] as const),
      ...(['f16', 'bf16'] as const).map((dtype) => [usual, [5, 600, 33], dtype] as const),
      ...others.map((variant) => [variant, [5, 9, 7], 'bf16'] as const),
    ]) {
      const a = randomMatrix(M, K, 1);
      const b = randomMatrix(K, N, 2);
      const bias = roundedTo(randomMatrix(1, N, 3), dtype);
      const args = {
        label: '/biased',
        a: keep(upload(gpu, 'a', a)),
        b: keep(upload(gpu, 'b', b)),
        bias: keep(upload(gpu, 'bias', bias, dtype)),
        variant,
      };
      const [out] = await runPlan(gpu, (plan) => [matmul(plan, args)]);
      expect(relativeError(out, withBias(product(a, b), bias.data).data)).toBeLessThan(TOLERANCE);
      free();
    }
  });

  it('equals the float64 product where it is large, all transpositions', async () => {
    for (const [M, K, N] of LARGE_SIZES) {
      const a = randomMatrix(M, K, 1);
      const b = randomMatrix(K, N, 2);
      const expected = product(a, b).data;
      for (const transposeA of BOTH)
        for (const transposeB of BOTH) {
          const args = {
            label: '/large',
            a: keep(upload(gpu, 'a', transposeA ? transposed(a) : a)),
            b: keep(upload(gpu, 'b', transposeB ? transposed(b) : b)),
            ...{ transposeA, transposeB },
          };
          const [out] = await runPlan(gpu, (plan) => [matmul(plan, args)]);
          expect(relativeError(out, expected), `${[M, K, N]}`).toBeLessThan(TOLERANCE);
          free();
        }
    }
  });

  it('splits K only where a product is small and K is long, by shape and kind of adapter alone', () => {
    expect(splitCount(8, 8, 100, false)).toBe(1);
    expect(splitCount(8, 576, 256, false)).toBe(2);
    expect(splitCount(64, 64, 1024, false)).toBe(8);
    expect(splitCount(512, 512, 1023, false)).toBe(1);
    expect(splitCount(160, 576, 49152, false)).toBe(4);
    expect(splitCount(1024, 1024, 49152, false)).toBe(1);
    expect(splitCount(1, 1, 10 ** 6, false)).toBe(32);
    expect(splitCount(8, 8, 100, true)).toBe(1);
    expect(splitCount(8, 576, 256, true)).toBe(1);
    expect(splitCount(64, 64, 1024, true)).toBe(4);
  });

  it('keeps its precision over a K as long as a vocabulary', async () => {
    const [M, K, N] = [3, 50_021, 5];
    const a = randomMatrix(M, K, 1);
    const b = randomMatrix(K, N, 2);
    const args = { label: '/long', a: upload(gpu, 'a', a), b: upload(gpu, 'b', b) };
    const [out] = await runPlan(gpu, (plan) => [matmul(plan, args)]);
    expect(relativeError(out, product(a, b).data)).toBeLessThan(TOLERANCE);
  });

  it('computes the rows that a GPU counter says are live, and leaves the others', async () => {
    const [M, K, N, first, outFirst] = [21, 40, 13, 5, 2];
    const a = randomMatrix(40, K, 7);
    // What lies behind the live rows is garbage from an earlier step; it must not reach them.
    for (const live of [0, 3, 5, 6, 16, 26, 1000]) {
      const rowsHere = Math.max(0, Math.min(M, live - first));
      const aFirst = 4;
      const poisoned = { ...a, data: a.data.slice().fill(NaN, (aFirst + rowsHere) * K) };
      const b = randomMatrix(K, N, 8);
      const before = randomMatrix(outFirst + M, N, 9);
      const count = gpu.createTensor('count', [4], 'u32', Uint32Array.of(77, 77, live, 77));
      for (const variant of availableMatmulVariants(gpu)) {
        const out = upload(gpu, 'out', before);
        await runPlan(gpu, (plan) => [
          matmul(plan, {
            label: '/limited',
            a: upload(gpu, 'a', poisoned),
            b: upload(gpu, 'b', b),
            out,
            rows: { total: M, count, countWord: 2, first, aFirst, outFirst },
            variant,
          }),
        ]);
        const expected = before.data.slice();
        const all = product(a, b).data;
        for (let i = 0; i < rowsHere * N; i++) expected[outFirst * N + i] = all[aFirst * N + i];
        expect(
          relativeError(await gpu.readFloats(out), expected),
          `${variant}, ${live} live`,
        ).toBeLessThan(TOLERANCE);
      }
    }
  });

  it('gives the same bits twice, and the same bits in every variant', async () => {
    for (const dtype of ['f32', 'f16', 'bf16'] as DType[])
      for (const [M, K, N] of dtype === 'f32' ? SIZES : SIZES.slice(-4)) {
        const b = keep(upload(gpu, 'b', roundedTo(randomMatrix(N, K, 11), dtype), dtype));
        const a = keep(upload(gpu, 'a', randomMatrix(M, K, 10)));
        const run = async (variant: MatmulVariant) =>
          new Uint32Array(
            (
              await runPlan(gpu, (plan) => [
                matmul(plan, { label: '/bits', a, b, transposeB: true, alpha: 0.3, variant }),
              ])
            )[0].buffer,
          );
        const bits = await run('register');
        expect(await run('register')).toEqual(bits);
        for (const variant of availableMatmulVariants(gpu))
          expect(await run(variant), `${variant} ${dtype} ${[M, K, N]}`).toEqual(bits);
        free();
      }
  });

  it('compiles nothing for a new size, and returns to the baseline of live buffers', async () => {
    const compile = vi.spyOn(gpu.device, 'createComputePipelineAsync');
    const run = async (M: number, K: number, N: number) => {
      const a = keep(upload(gpu, 'a', randomMatrix(M, K, 1)));
      const b = keep(upload(gpu, 'b', randomMatrix(K, N, 2)));
      await runPlan(gpu, (plan) => [matmul(plan, { label: '/any', a, b })]);
      free();
    };
    await run(20, 30, 40);
    const baseline = gpu.liveCount;
    compile.mockClear();
    await run(21, 37, 43);
    await run(100, 4, 65);
    expect(compile).not.toHaveBeenCalled();
    expect(gpu.liveCount).toBe(baseline);
    compile.mockRestore();
  });

  it('measures the variants of each form once and remembers; an explicit choice wins', async () => {
    const candidates: MatmulVariant[] = ['register', 'tiled'];
    setMatmulVariant(gpu, 'tiled', 'at-b');
    const choices = await Promise.all([
      chooseMatmulVariants(gpu, candidates),
      chooseMatmulVariants(gpu, candidates),
    ]);
    expect(choices[0]).toEqual(choices[1]);
    expect(choices[0]['at-b']).toBe('tiled');
    for (const form of ['a-bt', 'a-b'] as const) {
      expect(candidates).toContain(choices[0][form]);
      expect(matmulVariantOf(gpu, form)).toBe(choices[0][form]);
    }
    const submit = vi.spyOn(gpu.device, 'createCommandEncoder');
    expect(await chooseMatmulVariants(gpu)).toEqual(choices[0]);
    setMatmulVariant(gpu, 'register');
    expect(await chooseMatmulVariants(gpu)).toEqual({
      'a-bt': 'register',
      'a-b': 'register',
      'at-b': 'register',
    });
    expect(submit).not.toHaveBeenCalled();
    submit.mockRestore();
  });

  it('measures nothing where one variant is known to win', async () => {
    const other = await requestTestGpu();
    const submit = vi.spyOn(other.device, 'createCommandEncoder');
    const [only, ...others] = candidateMatmulVariants(other);
    const choice = await chooseMatmulVariants(other, [only]);
    expect(choice).toEqual({ 'a-bt': only, 'a-b': only, 'at-b': only });
    expect(submit).not.toHaveBeenCalled();
    expect(availableMatmulVariants(other)).toEqual(expect.arrayContaining([only, ...others]));
    submit.mockRestore();
    other.dispose();
  });

  describe('refuses, by name, what does not fit', () => {
    const tensor = (label: string, shape: number[], dtype: DType = 'f32') =>
      gpu.createTensor(label, shape, dtype);
    const good = (): MatmulArgs => ({
      label: '/layer',
      a: tensor('left', [4, 6]),
      b: tensor('right', [6, 5]),
      bias: tensor('offset', [5]),
      out: tensor('result', [4, 5]),
    });
    const cases: [name: string, change: (args: MatmulArgs) => Partial<MatmulArgs>, says: RegExp][] =
      [
        ['inner sizes', () => ({ transposeB: true }), /left\) has K = 6 and b \(right\) has K = 5/],
        ['a vector for a', () => ({ a: tensor('flat', [24]) }), /flat\) has shape \[24\]/],
        [
          'a in bf16',
          () => ({ a: tensor('half', [4, 6], 'bf16') }),
          /half\) is bf16, f32 is needed/,
        ],
        [
          'b in i32',
          () => ({ b: tensor('ids', [6, 5], 'i32') }),
          /ids\) is i32, allowed are f32, f16 and bf16/,
        ],
        [
          'a short bias',
          () => ({ bias: tensor('short', [4]) }),
          /short\) has shape \[4\], \[5\] is needed/,
        ],
        [
          'an out of another shape',
          () => ({ out: tensor('wide', [4, 6]) }),
          /wide\) has shape \[4,6\], \[4, 5\]/,
        ],
        ['out that is also b', (args) => ({ b: args.out }), /K = 6 and b/],
        [
          'a bias in u32',
          () => ({ bias: tensor('ids', [5], 'u32') }),
          /ids\) is u32, allowed are f32/,
        ],
        ['accumulation into nothing', () => ({ out: undefined, accumulate: true }), /needs an out/],
        [
          'more rows than a has',
          () => ({ rows: { total: 5, count: tensor('n', [1], 'u32'), countWord: 0, first: 0 } }),
          /rows 0 to 5 were asked of a \(left\), it has 4/,
        ],
      ];
    for (const [name, change, says] of cases)
      it(name, async () => {
        const args = good();
        await runPlan(gpu, (plan) => [matmul(plan, args)]);
        await expect(
          runPlan(gpu, (plan) => [matmul(plan, { ...args, ...change(args) })]),
        ).rejects.toThrow(says);
      });

    it('out that shares memory with an operand', async () => {
      const square = tensor('square', [5, 5]);
      const args = { label: '/layer', a: tensor('left', [5, 5]), b: tensor('right', [5, 5]) };
      await runPlan(gpu, (plan) => [matmul(plan, { ...args, out: square })]);
      await expect(
        runPlan(gpu, (plan) => [matmul(plan, { ...args, b: square, out: square })]),
      ).rejects.toMatchObject({ name: 'KernelError', code: 'shape' });
    });
  });
});
