/**
 * Plan: on a device whose subgroups have 4 lanes the products of training are those of `quad`; they have the bits of
 * `register`, which matmul.test.ts holds against float64: all transpositions, sizes around the tile and far from it,
 * split and whole, `b` in 16 bits, with bias, factor and accumulation, and with rows whose number only the GPU
 * knows. RMSNorm by such a subgroup equals the oracle; attention is held by attention-four-lanes.test.ts. ONNX Runtime, which is given the same device, sees no subgroups.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Gpu } from '$lib/gpu';
import { attentionVariants } from '$lib/kernels/attention-variant';
import { availableMatmulVariants, candidateMatmulVariants } from '$lib/kernels/matmul-variant';
import { rmsNormVariants } from '$lib/kernels/rms-norm';
import { requestTestGpu } from '../dawn';
import { expectRmsNorm } from './oracle/rms-norm-case';
import { itHasTheBitsOfRegister } from './oracle/same-bits';

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

describe('in subgroups of 4 lanes', () => {
  let gpu: Gpu;
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

  it('products are those of quad, and the subgroups hidden from who is given the device', () => {
    expect(candidateMatmulVariants(gpu)).toEqual(['quad']);
    expect(availableMatmulVariants(gpu)).toEqual(['register', 'quad', 'tiled']);
    expect(gpu.features.subgroups).toBe(true);
    expect(gpu.device.features.has('subgroups')).toBe(false);
    expect(gpu.device.features.has('shader-f16')).toBe(gpu.features.f16);
  });

  itHasTheBitsOfRegister({
    gpu: () => gpu,
    variant: 'quad',
    sizes: SIZES,
    sizesOf16Bits: [
      [9, 17, 15],
      [20, 48, 36],
    ],
    limited: { size: [21, 40, 13], live: [0, 1, 8, 13, 1000] },
  });

  it('attention is that of quad', () => {
    expect(attentionVariants(gpu)[0]).toBe('quad');
  });

  it('RMSNorm and its gradient equal the oracle', async () => {
    expect(rmsNormVariants(gpu)[0]).toBe('subgroup');
    await expectRmsNorm(gpu);
  });
});
