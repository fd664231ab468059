/**
 * What graphics cards run, here on subgroups of 16 lanes of a processor. Plan: which kernels they get, and that the
 * variants of products are measured; products by broadcasts have the bits of `register`, which matmul.test.ts holds
 * against float64: all transpositions, sizes around the tile and far from it, split and whole, `b` in 16 bits, with bias,
 * factor and accumulation, with rows whose number only the GPU knows; cross-entropy and RMSNorm by shuffles of so many
 * lanes equal their oracles. tests/training/as-a-card.test.ts has whole runs.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DType, Gpu, Tensor } from '$lib/gpu';
import { attentionVariants } from '$lib/kernels/attention';
import { crossEntropyVariants } from '$lib/kernels/cross-entropy';
import { matmul, type MatmulArgs } from '$lib/kernels/matmul';
import { chooseMatmulVariants } from '$lib/kernels/matmul-choose';
import {
  availableMatmulVariants,
  candidateMatmulVariants,
  type MatmulVariant,
} from '$lib/kernels/matmul-variant';
import { rmsNormBackward, rmsNormForward, rmsNormVariants } from '$lib/kernels/rms-norm';
import { requestTestCard } from '../dawn';
import { relativeError, uniform, upload as uploadValues } from './oracle/add-harness';
import { crossEntropy } from './oracle/cross-entropy';
import { problem, runCrossEntropy } from './oracle/cross-entropy-harness';
import { randomMatrix, roundedTo, runPlan, upload } from './oracle/matmul';
import { rmsNorm, rmsNormGradients } from './oracle/rms-norm';

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
const BOTH = [false, true];

describe('as a graphics card', () => {
  let gpu: Gpu;
  const made: Tensor[] = [];
  const keep = (tensor: Tensor) => (made.push(tensor), tensor);
  const free = () => made.splice(0).forEach((tensor) => gpu.destroyTensor(tensor));
  beforeAll(async () => {
    gpu = await requestTestCard();
  });
  afterAll(() => gpu.dispose());
  beforeEach((context) => {
    const { subgroupMaxSize: lanes } = gpu.device.adapterInfo;
    if (lanes !== 16) context.skip(`the driver here has subgroups of ${lanes} lanes`);
  });

  async function bitsOf(variant: MatmulVariant, args: MatmulArgs): Promise<Uint32Array> {
    const [out] = await runPlan(gpu, (plan) => [matmul(plan, { ...args, variant })]);
    return new Uint32Array(out.buffer, out.byteOffset, out.length);
  }

  async function expectSameBits(what: string, args: () => MatmulArgs): Promise<void> {
    const expected = await bitsOf('register', args());
    expect(await bitsOf('broadcast', args()), what).toEqual(expected);
    free();
  }

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

  for (const transposeA of BOTH)
    for (const transposeB of BOTH)
      it(`products have the bits of register: transposeA ${transposeA}, transposeB ${transposeB}`, async () => {
        for (const [M, K, N] of SIZES) {
          const a = keep(
            upload(gpu, 'a', transposeA ? randomMatrix(K, M, 1) : randomMatrix(M, K, 1)),
          );
          const b = keep(
            upload(gpu, 'b', transposeB ? randomMatrix(N, K, 2) : randomMatrix(K, N, 2)),
          );
          await expectSameBits(`${[M, K, N]}`, () => ({
            label: '/bits',
            ...{ a, b, transposeA, transposeB },
          }));
        }
      });

  for (const dtype of ['f16', 'bf16'] as DType[])
    it(`products have the bits of register, b in ${dtype}`, async () => {
      for (const [M, K, N] of [
        [9, 17, 15],
        [20, 48, 260],
      ]) {
        const a = keep(upload(gpu, 'a', randomMatrix(M, K, 1)));
        const b = keep(upload(gpu, 'b', roundedTo(randomMatrix(N, K, 2), dtype), dtype));
        await expectSameBits(`${[M, K, N]}`, () => ({ label: '/bits', a, b, transposeB: true }));
      }
    });

  it('products have the bits of register with a bias, a factor and accumulation, whole and split', async () => {
    for (const [M, K, N] of [
      [19, 45, 37],
      [12, 1100, 24],
    ]) {
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

  it('products leave the rows that are not live', async () => {
    const [M, K, N] = [37, 40, 13];
    const a = keep(upload(gpu, 'a', randomMatrix(M, K, 7)));
    const b = keep(upload(gpu, 'b', randomMatrix(K, N, 8)));
    for (const live of [0, 1, 16, 19, 1000]) {
      const count = keep(gpu.createTensor('count', [1], 'u32', Uint32Array.of(live)));
      const rows = { total: M, count, countWord: 0, first: 0, aFirst: 0, outFirst: 0 };
      const run = async (variant: MatmulVariant) => {
        const out = keep(upload(gpu, 'out', randomMatrix(M, N, 9)));
        await runPlan(gpu, (plan) => [matmul(plan, { label: '/live', a, b, out, rows, variant })]);
        return new Uint32Array(await gpu.readBytes(out));
      };
      expect(await run('broadcast'), `${live} live`).toEqual(await run('register'));
    }
    free();
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
    const epsilon = 1e-6;
    for (const [N, C] of [
      [1, 3],
      [5, 16],
      [7, 130],
      [33, 256],
    ]) {
      const x = uniform(N * C, 1);
      const weight = uniform(C, 2, 0.5, 1.5);
      const dOut = uniform(N * C, 3);
      const tensors = {
        x: keep(uploadValues(gpu, 'x', [N, C], x)),
        weight: keep(uploadValues(gpu, 'weight', [C], weight)),
        dOut: keep(uploadValues(gpu, 'dOut', [N, C], dOut)),
      };
      const [out, dX] = await runPlan(gpu, (plan) => {
        const forward = rmsNormForward(plan, { label: '/norm', ...tensors, epsilon });
        const dX = rmsNormBackward(plan, { label: '/norm', ...tensors, rstd: forward.rstd });
        return [forward.out, dX];
      });
      const expected = rmsNormGradients(dOut, x, weight, epsilon);
      expect(relativeError(out, rmsNorm(x, weight, epsilon).out), `${[N, C]}`).toBeLessThan(1e-5);
      expect(relativeError(dX, expected.dX), `${[N, C]}`).toBeLessThan(1e-5);
      free();
    }
  });
});
