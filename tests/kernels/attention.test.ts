import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu, Tensor } from '$lib/gpu';
import { attentionBackward, attentionForward, type AttentionOptions } from '$lib/kernels/attention';
import { attentionVariants } from '$lib/kernels/attention-variant';
import { KernelError } from '$lib/kernels/errors';
import { PlanBuilder } from '$lib/gpu';
import { requestTestGpu } from '../dawn';
import { dot, gradientError, relativeError } from './oracle/add-harness';
import { attention, attentionGradients, type AttentionCase } from './oracle/attention';
import { inputs, packed, runAttention, shape, tensors } from './oracle/attention-harness';

/**
 * Sums of at most T weights and products of D elements, each rounded to 6e-8: their errors grow with
 * the square root of their number, to some 2e-6 at the largest sizes here.
 */
const TOLERANCE = 1e-5;

describe('attention', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const run = (s: AttentionCase, x = inputs(s), variant = attentionVariants(gpu)[0]) =>
    runAttention(gpu, s, x, variant);

  /**
   * The fastest variant runs every head width; of the others, which take lavapipe's compiler seconds for each,
   * one width of each shape of tile stands for the rest.
   */
  const variantsFor = (headDim: number) =>
    attentionVariants(gpu).filter((_, i) => i === 0 || [24, 32, 96, 128].includes(headDim));

  async function compare(s: AttentionCase, tolerance = TOLERANCE, spread = 1) {
    const x = inputs(s, spread);
    const { out, lse } = attention(x.q, x.k, x.v, s);
    const { dQ, dK, dV } = attentionGradients(x.dOut, x.q, x.k, x.v, s);
    for (const variant of variantsFor(s.headDim)) {
      const actual = await run(s, x, variant);
      for (const [name, expected] of Object.entries({ out, lse, dQ, dK, dV }))
        expect(
          relativeError(actual[name as keyof typeof actual], expected),
          `${name} by ${variant} of ${JSON.stringify(s)}`,
        ).toBeLessThan(tolerance);
    }
  }

  it('has an oracle whose gradients are its finite differences', () => {
    const s = shape(1, 7, 4, 2, 8, 3);
    const x = inputs(s);
    const loss = (q: Float64Array, k: Float64Array, v: Float64Array) =>
      dot(attention(q, k, v, s).out, x.dOut);
    const { dQ, dK, dV } = attentionGradients(x.dOut, x.q, x.k, x.v, s);
    expect(gradientError((q) => loss(q, x.k, x.v), x.q, dQ)).toBeLessThan(1e-7);
    expect(gradientError((k) => loss(x.q, k, x.v), x.k, dK)).toBeLessThan(1e-7);
    expect(gradientError((v) => loss(x.q, x.k, v), x.v, dV)).toBeLessThan(1e-7);
  });

  it.each([1, 2, 31, 32, 33, 61, 64, 65])('agrees with the oracle at length %i', async (T) => {
    await compare(shape(2, T, 2, 1, 32));
  });

  it.each([8, 12, 24, 32, 64, 80, 96, 128, 256])(
    'agrees with the oracle at head width %i',
    async (headDim) => {
      await compare(shape(1, 45, 2, 1, headDim));
    },
  );

  it.each([
    [6, 6],
    [6, 2],
    [6, 1],
    [7, 7],
    [14, 2],
  ])('agrees with %i query heads over %i key heads', async (heads, kvHeads) => {
    await compare(shape(2, 37, heads, kvHeads, 24));
  });

  it.each([1, 2, 5, 31, 32, 33, 47, 99, 100, 101, 5000])(
    'sees a sliding window of %i keys at length 100',
    async (slidingWindow) => {
      await compare(shape(1, 100, 2, 1, 32, slidingWindow));
    },
  );

  it.each<[string, number[][], number | undefined]>([
    ['one to a row', [[45]], undefined],
    ['of one token each', [new Array<number>(19).fill(1)], undefined],
    ['that end at a tile and beside one', [[15, 1, 16, 17, 31, 33, 32, 7]], undefined],
    ['of other lengths in each row', [[5, 40, 25], [64, 1, 5], [70]], undefined],
    ['through a sliding window', [[30, 3, 37, 30], [100]], 7],
  ])('keeps packed sequences apart: %s', async (_title, rows, window) => {
    const T = rows[0].reduce((sum, length) => sum + length, 0);
    await compare({ ...shape(rows.length, T, 4, 2, 32, window), starts: packed(...rows) });
  });

  it('gives a packed sequence what it has alone', async () => {
    const lengths = [20, 33, 11];
    const s = shape(1, 64, 2, 1, 32);
    const x = inputs(s);
    for (const variant of variantsFor(32)) {
      const together = await run({ ...s, starts: packed(lengths) }, x, variant);
      const mixed = await run(s, x, variant);
      let start = 0;
      for (const T of lengths) {
        const cut = (values: Float64Array, width: number) =>
          values.slice(start * width, (start + T) * width);
        const alone = await run(
          { ...s, T },
          { q: cut(x.q, 64), k: cut(x.k, 32), v: cut(x.v, 32), dOut: cut(x.dOut, 64) },
          variant,
        );
        for (const [name, width] of [
          ['out', 64],
          ['dQ', 64],
          ['dK', 32],
          ['dV', 32],
        ] as const) {
          const part = (of: typeof mixed) =>
            Array.from(of[name].slice(start * width, (start + T) * width));
          expect(relativeError(part(together), alone[name]), name).toBeLessThan(1e-6);
          // Control: without the table the sequences see each other.
          if (start > 0)
            expect(relativeError(part(mixed), alone[name]), name).toBeGreaterThan(1e-3);
        }
        start += T;
      }
    }
  });

  it('keeps batches apart at every length of the last tile', async () => {
    for (const T of [3, 17, 35]) await compare(shape(3, T, 3, 3, 24));
  });

  it('is stable where scores reach 80 and more', async () => {
    const s = shape(1, 70, 2, 1, 64);
    const spread = 9.5;
    const x = inputs(s, spread);
    const lse = attention(x.q, x.k, x.v, s).lse;
    expect(Math.max(...lse)).toBeGreaterThan(80);
    // A sum of 64 products of up to 90 is off by some 3e-6, and so is its exponential, relatively;
    // in the gradients the differences of such weights cancel once more.
    await compare(s, 5e-5, spread);
  });

  it('leaves real rows untouched by what padding on the right holds', async () => {
    const s = shape(1, 40, 2, 1, 32);
    const real = 23;
    const x = inputs(s);
    const queryWidth = s.heads * s.headDim;
    const keyWidth = s.kvHeads * s.headDim;
    x.dOut.fill(0, real * queryWidth);
    const before = await run(s, x);
    x.q.fill(9, real * queryWidth);
    x.k.fill(-9, real * keyWidth);
    x.v.fill(7, real * keyWidth);
    const after = await run(s, x);
    for (const name of ['out', 'dQ', 'dK', 'dV'] as const) {
      const width = name === 'out' || name === 'dQ' ? queryWidth : keyWidth;
      expect(after[name].slice(0, real * width)).toEqual(before[name].slice(0, real * width));
    }
    for (const name of ['dQ', 'dK', 'dV'] as const) {
      const width = name === 'dQ' ? queryWidth : keyWidth;
      expect(after[name].slice(real * width).every((value) => value === 0)).toBe(true);
    }
  });

  it('gives a row the same bits whatever comes after it', async () => {
    const long = shape(1, 70, 2, 1, 32);
    const x = inputs(long);
    const short = { ...long, T: 41 };
    const queries = short.T * 2 * 32;
    const keys = short.T * 32;
    const cut = {
      q: x.q.slice(0, queries),
      k: x.k.slice(0, keys),
      v: x.v.slice(0, keys),
      dOut: x.dOut.slice(0, queries),
    };
    expect((await run(short, cut)).out).toEqual((await run(long, x)).out.slice(0, queries));
  });

  describe('refuses by name', () => {
    const good = shape(2, 5, 4, 2, 16);
    const attempt = (change: Partial<AttentionOptions>) => {
      const plan = new PlanBuilder(gpu, 'refused');
      const { q, k, v } = tensors(gpu, good, inputs(good));
      attentionForward(plan, { label: '/attention', q, k, v, ...good, ...change });
    };
    const other = (shape: number[]): Tensor => gpu.createTensor('other', shape);

    it('nothing when all fits (control)', () => {
      expect(() => attempt({})).not.toThrow();
    });

    it.each<[string, () => Partial<AttentionOptions>, RegExp]>([
      ['queries of another width', () => ({ q: other([10, 60]) }), /q \(other\).*\[10, 64\]/],
      ['keys of another length', () => ({ k: other([8, 32]) }), /k \(other\).*\[10, 32\]/],
      ['values of another width', () => ({ v: other([10, 64]) }), /v \(other\).*\[10, 32\]/],
      ['key heads that do not divide', () => ({ kvHeads: 3 }), /kvHeads is 3/],
      ['a head width that is no multiple of 4', () => ({ headDim: 10 }), /headDim is 10/],
      ['a head width over 256', () => ({ headDim: 260 }), /headDim is 260/],
      ['first keys of another length', () => ({ firstKeys: other([8]) }), /firstKeys \(other\)/],
      ['a window of 0', () => ({ slidingWindow: 0 }), /slidingWindow is 0/],
      ['a length of 0', () => ({ T: 0 }), /T is 0/],
    ])('%s', (_, change, message) => {
      expect(() => attempt(change())).toThrow(KernelError);
      expect(() => attempt(change())).toThrow(message);
    });

    it('a gradient of another shape', () => {
      const plan = new PlanBuilder(gpu, 'refused');
      const { dOut, ...qkv } = tensors(gpu, good, inputs(good));
      const options = { label: '/attention', ...qkv, ...good };
      const forward = attentionForward(plan, options);
      expect(() => attentionBackward(plan, { ...options, ...forward, dOut })).not.toThrow();
      expect(() =>
        attentionBackward(plan, { ...options, ...forward, dOut: other([9, 64]) }),
      ).toThrow(/dOut \(other\)/);
      expect(() =>
        attentionBackward(plan, { ...options, ...forward, dOut, lse: other([2, 5, 4]) }),
      ).toThrow(/lse \(other\).*\[2, 4, 5\]/);
    });
  });
});
