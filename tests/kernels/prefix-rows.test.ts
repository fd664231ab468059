/**
 * Plan: a table's columns, or zeros, before each sequence, bit for bit; taken out again, bit for bit; their
 * gradient summed over the batch and added to the table's columns alone, against float64 and against finite
 * differences of the forward kernel; odd sizes; the same bits twice; refusals by name.
 *
 * Tolerance 1e-6 of the gradient: a sum of B numbers in f32.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanBuilder, type Gpu } from '$lib/gpu';
import { KernelError } from '$lib/kernels/errors';
import { insertPrefix, prefixBackward, removePrefix } from '$lib/kernels/prefix-rows';
import { requestTestGpu } from '../dawn';
import { dot, relativeError, runPlan, uniform, upload } from './oracle/add-harness';
import * as oracle from './oracle/prefix-rows';

const TOLERANCE = 1e-6;

/** B, T, P, W, columns of the table, offset in it */
type Case = [number, number, number, number, number, number];
const CASES: Case[] = [
  [1, 1, 1, 1, 1, 0],
  [1, 5, 3, 7, 28, 7],
  [2, 1, 4, 4, 16, 12],
  [3, 7, 1, 5, 20, 15],
  [2, 16, 16, 8, 32, 0],
  [5, 3, 31, 13, 41, 17],
];

describe('prefix-rows', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const sizesOf = ([B, T, P, W]: readonly number[]) => ({ B, T, P, W });

  const run = async (size: Case, x: Float64Array, table: Float64Array) => {
    const { B, T, P, W } = sizesOf(size);
    const [, , , , stride, offset] = size;
    const sizes = { label: '/attn', B, T, P };
    const columns = { table: upload(gpu, 'table', [P, stride], table), offset };
    return runPlan(gpu, (plan) => {
      const source = upload(gpu, 'x', [B * T, W], x);
      const whole = insertPrefix(plan, { ...sizes, x: source, columns });
      const zeros = insertPrefix(plan, { ...sizes, x: source });
      return [whole, zeros, removePrefix(plan, { ...sizes, x: whole })];
    });
  };

  it.each(CASES)(
    'puts rows in and takes them out bit for bit: B %i, T %i, P %i, W %i of %i columns at %i',
    async (...size) => {
      const shape = sizesOf(size);
      const { B, T, P, W } = shape;
      const [stride, offset] = size.slice(4);
      const x = uniform(B * T * W, 1);
      const table = uniform(P * stride, 2);
      const [whole, zeros, rest] = await run(size, x, table);
      const columns = oracle.columnsOf(table, stride, offset, shape);
      expect(whole).toEqual(Float32Array.from(oracle.insertPrefix(x, columns, shape)));
      const nothing = new Float64Array(P * W);
      expect(zeros).toEqual(Float32Array.from(oracle.insertPrefix(x, nothing, shape)));
      expect(rest).toEqual(Float32Array.from(x));
      expect(rest).toEqual(Float32Array.from(oracle.removePrefix(Float64Array.from(whole), shape)));
    },
  );

  const backward = async (size: Case, dX: Float64Array, before: Float64Array) => {
    const { B, T, P, W } = sizesOf(size);
    const [, , , , stride, offset] = size;
    const table = upload(gpu, 'dTable', [P, stride], before);
    const [found] = await runPlan(
      gpu,
      (plan) => {
        prefixBackward(plan, {
          label: '/attn',
          B,
          T,
          P,
          dX: upload(gpu, 'dX', [B * (P + T), W], dX),
          columns: { table, offset },
        });
        return [table];
      },
      1,
    );
    return found;
  };

  it.each(CASES)(
    'adds the gradient to its own columns: B %i, T %i, P %i, W %i of %i columns at %i',
    async (...size) => {
      const shape = sizesOf(size);
      const { B, T, P, W } = shape;
      const [stride, offset] = size.slice(4);
      const dX = uniform(B * (P + T) * W, 1);
      const before = uniform(P * stride, 2);
      const expected = before.slice();
      oracle.prefixGradient(dX, shape).forEach((value, i) => {
        expected[Math.floor(i / W) * stride + offset + (i % W)] += value;
      });
      const found = await backward(size, dX, before);
      expect(relativeError(found, expected)).toBeLessThan(TOLERANCE);
      found.forEach((value, i) => {
        const column = i % stride;
        if (column < offset || column >= offset + W) expect(value).toBe(before[i]);
      });
      expect(await backward(size, dX, before)).toEqual(found);
    },
  );

  it('has the finite differences of the forward kernel for a gradient', async () => {
    const size = CASES[1];
    const { B, T, P, W } = sizesOf(size);
    const stride = size[4];
    const x = uniform(B * T * W, 1);
    const table = uniform(P * stride, 2);
    const dOut = uniform(B * (P + T) * W, 3);
    const gradient = await backward(size, dOut, new Float64Array(P * stride));
    const slopes = new Float64Array(P * stride);
    const loss = async (values: Float64Array) => dot((await run(size, x, values))[0], dOut);
    for (let i = 0; i < slopes.length; i += 3) {
      const moved = (by: number) => table.map((value, at) => (at === i ? value + by : value));
      slopes[i] = (await loss(moved(0.5))) - (await loss(moved(-0.5)));
    }
    expect(
      relativeError(
        gradient.map((value, i) => (i % 3 === 0 ? value : 0)),
        slopes,
      ),
    ).toBeLessThan(1e-5);
  });

  it('refuses other shapes by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const sizes = { label: '/attn', B: 2, T: 3, P: 4 };
    const x = gpu.createTensor('x', [6, 5]);
    const whole = gpu.createTensor('whole', [14, 5]);
    const table = gpu.createTensor('table', [4, 20]);
    const columns = { table, offset: 15 };
    expect(() => insertPrefix(plan, { ...sizes, x, columns })).not.toThrow();
    expect(() => removePrefix(plan, { ...sizes, x: whole })).not.toThrow();
    expect(() => prefixBackward(plan, { ...sizes, dX: whole, columns })).not.toThrow();

    expect(() => insertPrefix(plan, { ...sizes, x: whole })).toThrow(KernelError);
    expect(() => insertPrefix(plan, { ...sizes, x: whole })).toThrow(
      /\/attn \(prefix-rows\): x \(whole\) has shape \[14, 5\], \[6, 5\]/,
    );
    expect(() => insertPrefix(plan, { ...sizes, P: 0, x })).toThrow(/P is 0/);
    expect(() => insertPrefix(plan, { ...sizes, B: 1.5, x })).toThrow(/B is 1.5/);
    const late = { table, offset: 16 };
    expect(() => insertPrefix(plan, { ...sizes, x, columns: late })).toThrow(
      /columns 16 to 21 of a table \(4, 20\)/,
    );
    expect(() => insertPrefix(plan, { ...sizes, x, columns: { table, offset: -1 } })).toThrow(
      /columns -1 to 4/,
    );
    expect(() => removePrefix(plan, { ...sizes, x })).toThrow(/x \(x\).*\[14, 5\]/);
    expect(() => prefixBackward(plan, { ...sizes, dX: x, columns })).toThrow(/dX \(x\)/);
    const short = { table: gpu.createTensor('short', [3, 20]), offset: 0 };
    expect(() => prefixBackward(plan, { ...sizes, dX: whole, columns: short })).toThrow(
      /table \(short\).*\[4, 20\]/,
    );
  });
});
