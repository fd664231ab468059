/**
 * What graphics cards run, here on subgroups of 16 lanes of a processor. Plan: which kernels they get, and that the
 * variants of products and of attention are measured; attention by shuffles has the bits of `register`, which
 * attention.test.ts holds against float64, over lengths, head widths, windows and packed rows, and leaves other widths to
 * it; products by broadcasts have the bits of `register`, which matmul.test.ts holds against float64: all transpositions,
 * sizes around the tile and far from it, split and whole, `b` in 16 bits, with bias, factor and accumulation, with rows
 * whose number only the GPU knows; cross-entropy and RMSNorm by shuffles of so many lanes equal their oracles.
 * tests/training/as-a-card.test.ts has whole runs.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Gpu } from '$lib/gpu';
import { chooseAttentionVariant } from '$lib/kernels/attention-choose';
import {
  attentionVariants,
  candidateAttentionVariants,
  shufflesAt,
} from '$lib/kernels/attention-variant';
import { crossEntropyVariants } from '$lib/kernels/cross-entropy';
import { chooseMatmulVariants } from '$lib/kernels/matmul-choose';
import { availableMatmulVariants, candidateMatmulVariants } from '$lib/kernels/matmul-variant';
import { rmsNormVariants } from '$lib/kernels/rms-norm';
import { requestTestCard } from '../dawn';
import { inputs, packed, runAttention, shape } from './oracle/attention-harness';
import { crossEntropy } from './oracle/cross-entropy';
import { problem, runCrossEntropy } from './oracle/cross-entropy-harness';
import { relativeError } from './oracle/matmul';
import { expectRmsNorm } from './oracle/rms-norm-case';
import { itHasTheBitsOfRegister } from './oracle/same-bits';

/** One, around the tile of 16 by 256 and across it, long K that is split; multiples of 4, which are loaded by fours, and others. */
const SIZES = [
  [1, 1, 1],
  [7, 13, 5],
  [16, 16, 256],
  [17, 15, 257],
  [300, 44, 33],
  [68, 8, 516],
  [3, 1200, 70],
] as const;

describe('as a graphics card', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestCard();
  });
  afterAll(() => gpu.dispose());
  beforeEach((context) => {
    const { subgroupMaxSize: lanes } = gpu.device.adapterInfo;
    if (lanes !== 16) context.skip(`the driver here has subgroups of ${lanes} lanes`);
  });

  it('rows are put together by shuffles, and the variants of products are measured', async () => {
    expect(gpu.isSoftware).toBe(false);
    expect(candidateMatmulVariants(gpu)).toEqual(['tiled', 'register', 'broadcast']);
    expect(availableMatmulVariants(gpu)).toEqual(['register', 'tiled', 'broadcast']);
    expect(candidateAttentionVariants(gpu)).toEqual(['register', 'shuffle']);
    expect(attentionVariants(gpu)).toEqual(['register', 'shuffle', 'narrow']);
    expect(rmsNormVariants(gpu)[0]).toBe('subgroup');
    expect(crossEntropyVariants(gpu)[0]).toBe('subgroup');
    const baseline = gpu.liveCount;
    const choice = await chooseMatmulVariants(gpu);
    for (const variant of Object.values(choice))
      expect(candidateMatmulVariants(gpu)).toContain(variant);
    expect(candidateAttentionVariants(gpu)).toContain(await chooseAttentionVariant(gpu));
    expect(gpu.liveCount).toBe(baseline);
  });

  it.each([
    ['one token', shape(2, 1, 2, 1, 32)],
    ['a prime length', shape(1, 61, 3, 3, 32)],
    ['a length before a tile', shape(2, 31, 4, 2, 64)],
    ['a length past a tile of keys', shape(1, 65, 2, 1, 64)],
    ['narrow heads', shape(1, 45, 2, 1, 8)],
    ['a window', shape(1, 100, 2, 1, 32, 33)],
    ['a window of one', shape(1, 37, 2, 1, 64, 1)],
    [
      'packed sequences',
      {
        ...shape(2, 70, 4, 2, 32),
        starts: packed([5, 40, 25], [64, 1, 5]),
      },
    ],
    [
      'packed sequences through a window',
      {
        ...shape(1, 100, 2, 1, 32, 7),
        starts: packed([30, 3, 37, 30]),
      },
    ],
  ])('attention by shuffles has the bits of `register`: %s', async (_, s) => {
    expect(shufflesAt(gpu, s.headDim)).toBe(true);
    const x = inputs(s);
    const expected = await runAttention(gpu, s, x, 'register');
    expect(await runAttention(gpu, s, x, 'shuffle')).toEqual(expected);
    for (const name of ['out', 'lse', 'dV'] as const)
      expect(expected[name].some((value) => value !== 0)).toBe(true);
  });

  it('attention by shuffles leaves heads of other widths to `register`', async () => {
    for (const headDim of [12, 24, 96, 128, 256]) {
      expect(shufflesAt(gpu, headDim), `${headDim}`).toBe(false);
      const s = shape(1, 9, 1, 1, headDim);
      const expected = await runAttention(gpu, s, inputs(s), 'register');
      expect(await runAttention(gpu, s, inputs(s), 'shuffle'), `${headDim}`).toEqual(expected);
    }
  });

  itHasTheBitsOfRegister({
    gpu: () => gpu,
    variant: 'broadcast',
    sizes: SIZES,
    sizesOf16Bits: [
      [9, 17, 15],
      [20, 48, 260],
    ],
    limited: { size: [37, 40, 13], live: [0, 1, 16, 19, 1000] },
  });

  it('cross-entropy, its gradient and its hits equal float64, and the same bits come twice', async () => {
    for (const [N, C, V, live] of [
      [1, 1, 1, 1],
      [3, 5, 2, 2],
      [23, 17, 101, 7],
      [9, 12, 3000, 5],
    ]) {
      const p = { ...problem(N, C, V, live), labelSmoothing: 0.1 };
      const { hidden, weight, rows, targets, lossScale, labelSmoothing } = p;
      const expected = crossEntropy(
        ...([hidden, weight, undefined, rows, targets, lossScale, labelSmoothing] as const),
      );
      const actual = await runCrossEntropy(gpu, p);
      expect(relativeError(actual.loss, expected.loss), `V ${V}`).toBeLessThan(1e-5);
      expect(relativeError(actual.dHidden, expected.dHidden.data), `V ${V}`).toBeLessThan(2e-5);
      expect(actual.correct, `V ${V}`).toEqual(expected.correct);
      expect(await runCrossEntropy(gpu, p)).toEqual(actual);
    }
  });

  it('cross-entropy counts a tie for the lowest token', async () => {
    const p = problem(4, 3, 200, 4);
    p.weight.data.fill(0.5);
    p.targets = [0, 1, 199, 64];
    expect((await runCrossEntropy(gpu, p)).correct).toEqual(Uint32Array.of(1, 0, 0, 0));
  });

  it('RMSNorm and its gradient equal the oracle', async () => {
    await expectRmsNorm(gpu);
  });
});
