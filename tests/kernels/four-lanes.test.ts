/**
 * Plan: on a device whose subgroups have 4 lanes the products of training are those of `quad`; they have the bits of
 * `register`, which matmul.test.ts holds against float64: all transpositions, sizes around the tile and far from it,
 * split and whole, `b` in 16 bits, with bias, factor and accumulation, and with rows whose number only the GPU
 * knows. RMSNorm by such a subgroup equals the oracle; attention is held by attention-four-lanes.test.ts. ONNX Runtime, which is given the same device, sees no subgroups.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DType, Gpu, Tensor } from '$lib/gpu';
import { attentionVariants } from '$lib/kernels/attention';
import { matmul, type MatmulArgs } from '$lib/kernels/matmul';
import {
  availableMatmulVariants,
  candidateMatmulVariants,
  type MatmulVariant,
} from '$lib/kernels/matmul-variant';
import { rmsNormBackward, rmsNormForward, rmsNormVariants } from '$lib/kernels/rms-norm';
import { requestTestGpu } from '../dawn';
import { relativeError, uniform, upload as uploadValues } from './oracle/add-harness';
import { randomMatrix, roundedTo, runPlan, upload } from './oracle/matmul';
import { rmsNorm, rmsNormGradients } from './oracle/rms-norm';

/** One, around the tile of 8 by 16, long K that is split; multiples of 4, which are loaded by fours, and others. */
const SIZES = [
  [1, 1, 1],
  [7, 13, 5],
  [8, 16, 16],
  [9, 17, 15],
  [36, 44, 33],
  [68, 8, 36],
  [3, 1200, 70],
] as const;
const BOTH = [false, true];

describe('in subgroups of 4 lanes', () => {
  let gpu: Gpu;
  const made: Tensor[] = [];
  const keep = (tensor: Tensor) => (made.push(tensor), tensor);
  const free = () => made.splice(0).forEach((tensor) => gpu.destroyTensor(tensor));
  beforeAll(async () => {
    // lavapipe with vectors of 4 numbers, as SwiftShader has them.
    process.env.LP_NATIVE_VECTOR_WIDTH = '128';
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());
  beforeEach((context) => {
    const { subgroupMaxSize: lanes } = gpu.device.adapterInfo;
    if (lanes !== 4) context.skip(`the driver here has subgroups of ${lanes} lanes`);
  });

  async function bitsOf(variant: MatmulVariant, args: MatmulArgs): Promise<Uint32Array> {
    const [out] = await runPlan(gpu, (plan) => [matmul(plan, { ...args, variant })]);
    return new Uint32Array(out.buffer, out.byteOffset, out.length);
  }

  async function expectSameBits(what: string, args: () => MatmulArgs): Promise<void> {
    const expected = await bitsOf('register', args());
    expect(await bitsOf('quad', args()), what).toEqual(expected);
    free();
  }

  it('products are those of quad, and the subgroups hidden from who is given the device', () => {
    expect(candidateMatmulVariants(gpu)).toEqual(['quad']);
    expect(availableMatmulVariants(gpu)).toEqual(['register', 'quad', 'tiled']);
    expect(gpu.features.subgroups).toBe(true);
    expect(gpu.device.features.has('subgroups')).toBe(false);
    expect(gpu.device.features.has('shader-f16')).toBe(gpu.features.f16);
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
        [20, 48, 36],
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
      const bias = keep(
        gpu.createTensor(
          'bias',
          [N],
          'f32',
          Float32Array.from({ length: N }, (_, i) => i / 7 - 2),
        ),
      );
      await expectSameBits(`${[M, K, N]}`, () => ({
        label: '/bits',
        out: keep(upload(gpu, 'out', randomMatrix(M, N, 6))),
        ...{ a, b, bias, alpha: -0.37, accumulate: true },
      }));
    }
  });

  it('products leave the rows that are not live', async () => {
    const [M, K, N] = [21, 40, 13];
    const a = keep(upload(gpu, 'a', randomMatrix(M, K, 7)));
    const b = keep(upload(gpu, 'b', randomMatrix(K, N, 8)));
    for (const live of [0, 1, 8, 13, 1000]) {
      const count = keep(gpu.createTensor('count', [1], 'u32', Uint32Array.of(live)));
      const rows = { total: M, count, countWord: 0, first: 0, aFirst: 0, outFirst: 0 };
      const run = async (variant: MatmulVariant) => {
        const out = keep(upload(gpu, 'out', randomMatrix(M, N, 9)));
        await runPlan(gpu, (plan) => [matmul(plan, { label: '/live', a, b, out, rows, variant })]);
        return new Uint32Array(await gpu.readBytes(out));
      };
      expect(await run('quad'), `${live} live`).toEqual(await run('register'));
    }
    free();
  });

  it('attention is that of quad', () => {
    expect(attentionVariants(gpu)[0]).toBe('quad');
  });

  it('RMSNorm and its gradient equal the oracle', async () => {
    expect(rmsNormVariants(gpu)[0]).toBe('subgroup');
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
