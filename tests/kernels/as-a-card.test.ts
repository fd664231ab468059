/**
 * What graphics cards run, here on subgroups of 16 lanes of a processor. Plan: which kernels they get, and that the
 * variants of products are measured; products by broadcasts have the bits of `register`, which matmul.test.ts holds
 * against float64: all transpositions, sizes around the tile and far from it, split and whole, `b` in 16 bits, with bias,
 * factor and accumulation, with rows whose number only the GPU knows; cross-entropy and RMSNorm by shuffles of so many
 * lanes equal their oracles. tests/training/as-a-card.test.ts has whole runs.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Gpu } from '$lib/gpu';
import { attentionVariants } from '$lib/kernels/attention';
import { crossEntropyVariants } from '$lib/kernels/cross-entropy';
import { chooseMatmulVariants } from '$lib/kernels/matmul-choose';
import { availableMatmulVariants, candidateMatmulVariants } from '$lib/kernels/matmul-variant';
import { rmsNormVariants } from '$lib/kernels/rms-norm';
import { requestTestCard } from '../dawn';
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
    expect(attentionVariants(gpu)).toEqual(['register', 'narrow']);
    expect(rmsNormVariants(gpu)[0]).toBe('subgroup');
    expect(crossEntropyVariants(gpu)[0]).toBe('subgroup');
    const baseline = gpu.liveCount;
    const choice = await chooseMatmulVariants(gpu);
    for (const variant of Object.values(choice))
      expect(candidateMatmulVariants(gpu)).toContain(variant);
    expect(gpu.liveCount).toBe(baseline);
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
