import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanBuilder, type Gpu } from '$lib/gpu';
import { KernelError } from '$lib/kernels/errors';
import { rotaryBackward, rotaryForward } from '$lib/kernels/rotary';
import { requestTestGpu } from '../dawn';
import { dot, gradientError, relativeError, runPlan, uniform, upload } from './oracle/add-harness';
import { rotary } from './oracle/rotary';

/** Two products and a sum: a few roundings of 6e-8. */
const TOLERANCE = 1e-6;

/** Angles as Hugging Face has them: position / theta^(2j / D). */
function tables(maxT: number, headDim: number) {
  const half = headDim / 2;
  const angle = (i: number) => Math.floor(i / half) / 10000 ** ((2 * (i % half)) / headDim);
  return {
    cos: Float64Array.from({ length: maxT * half }, (_, i) => Math.fround(Math.cos(angle(i)))),
    sin: Float64Array.from({ length: maxT * half }, (_, i) => Math.fround(Math.sin(angle(i)))),
  };
}

describe('rotary', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  async function compare(B: number, T: number, heads: number, headDim: number, ids?: number[]) {
    const N = B * T;
    const maxT = 70;
    const { cos, sin } = tables(maxT, headDim);
    const x = uniform(N * heads * headDim, 1);
    const options = {
      label: '/rotary',
      cos: upload(gpu, 'cos', [maxT, headDim / 2], cos),
      sin: upload(gpu, 'sin', [maxT, headDim / 2], sin),
      T,
      heads,
      headDim,
      positions: ids && upload(gpu, 'positions', [N], ids, 'i32'),
    };
    const tensor = upload(gpu, 'x', [N, heads * headDim], x);
    const [out, dX] = await runPlan(gpu, (plan) => [
      rotaryForward(plan, { ...options, x: tensor }),
      rotaryBackward(plan, { ...options, dOut: tensor }),
    ]);
    const oracle = { heads, headDim, cos, sin, positionOf: (row: number) => ids?.[row] ?? row % T };
    expect(relativeError(out, rotary(x, oracle))).toBeLessThan(TOLERANCE);
    expect(relativeError(dX, rotary(x, oracle, -1))).toBeLessThan(TOLERANCE);
  }

  it('has an oracle whose turn back is the gradient by finite differences', () => {
    const { cos, sin } = tables(5, 8);
    const oracle = { heads: 2, headDim: 8, cos, sin, positionOf: (row: number) => row };
    const x = uniform(5 * 16, 1);
    const dOut = uniform(5 * 16, 2);
    const dX = rotary(dOut, oracle, -1);
    expect(gradientError((y) => dot(rotary(y, oracle), dOut), x, dX)).toBeLessThan(1e-7);
  });

  it.each([
    [1, 1, 1, 2],
    [1, 7, 3, 6],
    [3, 13, 2, 8],
    [2, 64, 3, 24],
    [2, 65, 1, 80],
    [1, 31, 5, 128],
  ])('agrees with the oracle at B %i, T %i, %i heads of %i', async (...sizes) => {
    await compare(...sizes);
  });

  it('takes positions from a tensor', async () => {
    await compare(2, 3, 2, 8, [5, 69, 0, 1, 1, 33]);
    await compare(1, 3, 1, 6, [68, 2, 7]);
  });

  it('undoes itself', async () => {
    const { cos, sin } = tables(9, 16);
    const x = uniform(9 * 16, 1);
    const options = {
      label: '/rotary',
      cos: upload(gpu, 'cos', [9, 8], cos),
      sin: upload(gpu, 'sin', [9, 8], sin),
      T: 9,
      heads: 1,
      headDim: 16,
    };
    const tensor = upload(gpu, 'x', [9, 16], x);
    const given = gpu.createTensor('given', [9, 16]);
    const [back] = await runPlan(gpu, (plan) => {
      const dOut = rotaryForward(plan, { ...options, x: tensor });
      return [rotaryBackward(plan, { ...options, dOut, out: given })];
    });
    expect(back).toEqual(await gpu.readFloats(given));
    expect(relativeError(back, x)).toBeLessThan(TOLERANCE);
  });

  it('refuses other shapes and types by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const good = {
      label: '/rotary',
      x: gpu.createTensor('x', [6, 16]),
      cos: gpu.createTensor('cos', [3, 4]),
      sin: gpu.createTensor('sin', [3, 4]),
      T: 3,
      heads: 2,
      headDim: 8,
    };
    const other = gpu.createTensor('other', [6, 15]);
    expect(() => rotaryForward(plan, good)).not.toThrow();
    expect(() => rotaryForward(plan, { ...good, x: other })).toThrow(KernelError);
    expect(() => rotaryForward(plan, { ...good, x: other })).toThrow(/x \(other\).*\[6, 16\]/);
    expect(() => rotaryForward(plan, { ...good, cos: other })).toThrow(/cos \(other\).*\[6, 4\]/);
    expect(() => rotaryForward(plan, { ...good, sin: other })).toThrow(/sin \(other\).*\[3, 4\]/);
    expect(() => rotaryForward(plan, { ...good, positions: other })).toThrow(/positions.*\[6\]/);
    expect(() => rotaryForward(plan, { ...good, T: 6 })).toThrow(/T is 6.*3 positions/);
    expect(() => rotaryForward(plan, { ...good, headDim: 7 })).toThrow(/headDim is 7/);
    expect(() => rotaryForward(plan, { ...good, out: other })).toThrow(/out \(other\)/);
    expect(() => rotaryBackward(plan, { ...good, dOut: other })).toThrow(/dOut \(other\)/);
  });
});
