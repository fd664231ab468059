import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '$lib/gpu';
import { matmul } from '$lib/kernels/matmul';
import { availableMatmulVariants } from '$lib/kernels/matmul-variant';
import { requestTestGpu } from '../dawn';
import { product, randomMatrix, relativeError, runPlan, transposed, upload } from './oracle/matmul';

describe('matmul', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());
  it('smoke', async () => {
    for (const variant of availableMatmulVariants(gpu))
      for (const [M, K, N] of [
        [1, 1, 1],
        [5, 7, 3],
        [33, 65, 31],
        [64, 64, 64],
        [16, 512, 8],
        [8, 700, 64],
      ])
        for (const ta of [false, true])
          for (const tb of [false, true]) {
            const a = randomMatrix(M, K, 1),
              b = randomMatrix(K, N, 2);
            const ga = upload(gpu, 'a', ta ? transposed(a) : a),
              gb = upload(gpu, 'b', tb ? transposed(b) : b);
            const [out] = await runPlan(gpu, (plan) => [
              matmul(plan, { label: '/m', a: ga, b: gb, transposeA: ta, transposeB: tb, variant }),
            ]);
            expect(
              relativeError(out, product(a, b).data),
              `${variant} ${[M, K, N, ta, tb]}`,
            ).toBeLessThan(1e-5);
          }
  });
});
