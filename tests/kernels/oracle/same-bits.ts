/** The cases in which products of a variant must have the bits of `register`, which matmul.test.ts holds against float64. */
import { expect, it } from 'vitest';
import type { DType, Gpu, Tensor } from '$lib/gpu';
import { matmul, type MatmulArgs } from '$lib/kernels/matmul';
import type { MatmulVariant } from '$lib/kernels/matmul-variant';
import { randomMatrix, roundedTo, runPlan, upload } from './matmul';

/** M, K and N of a product. */
type Size = readonly [M: number, K: number, N: number];

export interface SameBits {
  readonly gpu: () => Gpu;
  readonly variant: MatmulVariant;
  readonly sizes: readonly Size[];
  readonly sizesOf16Bits: readonly Size[];
  /** Of a product whose number of live rows only the GPU knows, and the numbers. */
  readonly limited: { readonly size: Size; readonly live: readonly number[] };
}

const BOTH = [false, true];

/** All transpositions; `b` in 16 bits; a bias, a factor and accumulation, whole and split; live rows. */
export function itHasTheBitsOfRegister(cases: SameBits): void {
  const { variant, sizes, sizesOf16Bits, limited } = cases;
  const made: Tensor[] = [];
  const keep = (tensor: Tensor) => (made.push(tensor), tensor);
  const random = (label: string, rows: number, columns: number, seed: number) =>
    keep(upload(cases.gpu(), label, randomMatrix(rows, columns, seed)));
  const free = () => made.splice(0).forEach((tensor) => cases.gpu().destroyTensor(tensor));

  async function bitsOf(variant: MatmulVariant, args: MatmulArgs): Promise<Uint32Array> {
    const [out] = await runPlan(cases.gpu(), (plan) => [matmul(plan, { ...args, variant })]);
    return new Uint32Array(out.buffer, out.byteOffset, out.length);
  }

  async function expectSameBits(what: string, args: () => MatmulArgs): Promise<void> {
    const expected = await bitsOf('register', args());
    expect(await bitsOf(variant, args()), what).toEqual(expected);
    free();
  }

  for (const transposeA of BOTH)
    for (const transposeB of BOTH)
      it(`products have the bits of register: transposeA ${transposeA}, transposeB ${transposeB}`, async () => {
        for (const [M, K, N] of sizes) {
          const a = transposeA ? random('a', K, M, 1) : random('a', M, K, 1);
          const b = transposeB ? random('b', N, K, 2) : random('b', K, N, 2);
          await expectSameBits(`${[M, K, N]}`, () => ({
            label: '/bits',
            ...{ a, b, transposeA, transposeB },
          }));
        }
      });

  for (const dtype of ['f16', 'bf16'] as DType[])
    it(`products have the bits of register, b in ${dtype}`, async () => {
      for (const [M, K, N] of sizesOf16Bits) {
        const a = random('a', M, K, 1);
        const b = keep(upload(cases.gpu(), 'b', roundedTo(randomMatrix(N, K, 2), dtype), dtype));
        await expectSameBits(`${[M, K, N]}`, () => ({ label: '/bits', a, b, transposeB: true }));
      }
    });

  it('products have the bits of register with a bias, a factor and accumulation, whole and split', async () => {
    for (const [M, K, N] of [
      [19, 45, 37],
      [12, 1100, 24],
    ]) {
      const a = random('a', M, K, 3);
      const b = random('b', K, N, 4);
      const values = Float32Array.from({ length: N }, (_, i) => i / 7 - 2);
      const bias = keep(cases.gpu().createTensor('bias', [N], 'f32', values));
      await expectSameBits(`${[M, K, N]}`, () => ({
        label: '/bits',
        out: random('out', M, N, 6),
        ...{ a, b, bias, alpha: -0.37, accumulate: true },
      }));
    }
  });

  it('products leave the rows that are not live', async () => {
    const [M, K, N] = limited.size;
    const a = random('a', M, K, 7);
    const b = random('b', K, N, 8);
    for (const live of limited.live) {
      const count = keep(cases.gpu().createTensor('count', [1], 'u32', Uint32Array.of(live)));
      const rows = { total: M, count, countWord: 0, first: 0, aFirst: 0, outFirst: 0 };
      const run = async (variant: MatmulVariant) => {
        const out = random('out', M, N, 9);
        await runPlan(cases.gpu(), (plan) => [
          matmul(plan, { label: '/live', a, b, out, rows, variant }),
        ]);
        return new Uint32Array(await cases.gpu().readBytes(out));
      };
      expect(await run(variant), `${live} live`).toEqual(await run('register'));
    }
    free();
  });
}
