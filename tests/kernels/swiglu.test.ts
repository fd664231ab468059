import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanBuilder, type Gpu } from '$lib/gpu';
import { KernelError } from '$lib/kernels/errors';
import { swigluBackward, swigluForward } from '$lib/kernels/swiglu';
import { requestTestGpu } from '../dawn';
import { dot, gradientError, relativeError, runPlan, uniform, upload } from './oracle/add-harness';
import { swiglu, swigluGradients } from './oracle/swiglu';

/** WGSL lets exp be off by 3 + 2|x| units of 6e-8, 1e-6 at |x| = 8; the sigmoid is no worse. */
const TOLERANCE = 1e-5;

describe('swiglu', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  async function run(gate: Float64Array, up: Float64Array, dOut: Float64Array, shape: number[]) {
    const tensors = {
      gate: upload(gpu, 'gate', shape, gate),
      up: upload(gpu, 'up', shape, up),
    };
    const gradient = upload(gpu, 'dOut', shape, dOut);
    return runPlan(gpu, (plan) => {
      const out = swigluForward(plan, { label: '/mlp', ...tensors });
      const gradients = swigluBackward(plan, { label: '/mlp', ...tensors, dOut: gradient });
      return [out, gradients.dGate, gradients.dUp];
    });
  }

  it('has an oracle whose gradients are its finite differences', () => {
    const [gate, up, dOut] = [uniform(20, 1, -6, 6), uniform(20, 2), uniform(20, 3)];
    const { dGate, dUp } = swigluGradients(dOut, gate, up);
    expect(gradientError((g) => dot(swiglu(g, up), dOut), gate, dGate)).toBeLessThan(1e-7);
    expect(gradientError((u) => dot(swiglu(gate, u), dOut), up, dUp)).toBeLessThan(1e-7);
  });

  it.each([
    [1, 1],
    [3, 7],
    [16, 16],
    [5, 51],
    [13, 64],
    [7, 257],
  ])('agrees with the oracle at %i rows of %i', async (N, F) => {
    const gate = uniform(N * F, 1, -8, 8);
    const [up, dOut] = [uniform(N * F, 2), uniform(N * F, 3)];
    const [out, dGate, dUp] = await run(gate, up, dOut, [N, F]);
    const gradients = swigluGradients(dOut, gate, up);
    expect(relativeError(out, swiglu(gate, up))).toBeLessThan(TOLERANCE);
    expect(relativeError(dGate, gradients.dGate)).toBeLessThan(TOLERANCE);
    expect(relativeError(dUp, gradients.dUp)).toBeLessThan(TOLERANCE);
  });

  it('stays finite and right far from zero', async () => {
    const gate = Float64Array.from([-1e6, -300, -90, -80, 0, 80, 90, 300, 1e6].map(Math.fround));
    const ones = new Float64Array(9).fill(1);
    const [out, dGate, dUp] = await run(gate, ones, ones, [1, 9]);
    for (const [actual, expected] of [
      [out, [0, 0, 0, 0, 0, 80, 90, 300, 1e6]],
      [dGate, [0, 0, 0, 0, 0.5, 1, 1, 1, 1]],
      [dUp, [0, 0, 0, 0, 0, 80, 90, 300, 1e6]],
    ])
      expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 6));
  });

  it('refuses other shapes by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const gate = gpu.createTensor('gate', [4, 8]);
    const up = gpu.createTensor('up', [4, 8]);
    const other = gpu.createTensor('other', [8, 4]);
    const options = { label: '/mlp', gate, up };
    expect(() => swigluBackward(plan, { ...options, dOut: gate })).not.toThrow();
    expect(() => swigluForward(plan, { ...options, up: other })).toThrow(KernelError);
    expect(() => swigluForward(plan, { ...options, up: other })).toThrow(/up \(other\).*\[4, 8\]/);
    expect(() => swigluBackward(plan, { ...options, dOut: other })).toThrow(/dOut \(other\)/);
  });
});
