/**
 * Plan: x * (factors + shift) + bias, written and added to, and column-wise dot products with and without
 * factors, against float64 at odd sizes; the dot product is the gradient of the factors, by finite
 * differences of the kernel; factors of any shape; the same bits twice; a folded grid; refusals by name.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanBuilder, type Gpu } from '$lib/gpu';
import { columnDot, columnScale } from '$lib/kernels/column-scale';
import { KernelError } from '$lib/kernels/errors';
import { requestTestGpu } from '../dawn';
import { dot, relativeError, runPlan, uniform, upload } from './oracle/add-harness';
import * as oracle from './oracle/column-scale';

/** Four roundings of 6e-8, relative to the largest of the summands. */
const SCALE_TOLERANCE = 5e-7;
/** A sum of N products in f32 is off by some sqrt(N) * 6e-8, 2e-6 at 1021. */
const DOT_TOLERANCE = 5e-6;

/** N, C: column-dot.wgsl takes 16 rows and 16 columns at a time. */
const SIZES = [
  [1, 1],
  [3, 7],
  [15, 17],
  [16, 16],
  [17, 15],
  [65, 33],
  [1, 1021],
  [1021, 1],
] as const;

describe('column-scale', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const problem = (N: number, C: number) => ({
    x: uniform(N * C, 1),
    factors: uniform(C, 2, 0.5, 1.5),
    bias: uniform(C, 3),
    before: uniform(N * C, 4),
    dOut: uniform(N * C, 5),
  });

  it.each(SIZES)('agrees with the oracle at %i rows of %i, the same bits twice', async (N, C) => {
    const p = problem(N, C);
    const x = upload(gpu, 'x', [N, C], p.x);
    const factors = upload(gpu, 'factors', [C], p.factors);
    const bias = upload(gpu, 'bias', [C], p.bias);
    const given = upload(gpu, 'given', [N, C], p.before);
    const [plain, shifted, biased, both] = await runPlan(gpu, (plan) => [
      columnScale(plan, { label: '/plain', x, factors }),
      columnScale(plan, { label: '/shifted', x, factors, shift: -1 }),
      columnScale(plan, { label: '/biased', x, factors, bias }),
      columnScale(plan, { label: '/both', x, factors, bias, shift: 0.25, out: given }),
    ]);
    const near = (found: Float32Array, options: Parameters<typeof oracle.columnScale>[2]) =>
      expect(
        relativeError(found, oracle.columnScale(p.x, p.factors, options)),
        JSON.stringify(Object.keys(options ?? {})),
      ).toBeLessThan(SCALE_TOLERANCE);
    near(plain, undefined);
    near(shifted, { shift: -1 });
    near(biased, { bias: p.bias });
    near(both, { bias: p.bias, shift: 0.25 });
  });

  it.each(SIZES)('adds to what is there at %i rows of %i', async (N, C) => {
    const p = problem(N, C);
    const expected = oracle
      .columnScale(p.x, p.factors, { shift: -1, bias: p.bias })
      .map((value, i) => value + p.before[i]);
    const results = [];
    for (let time = 0; time < 2; time++) {
      const out = upload(gpu, 'out', [N, C], p.before);
      const [found] = await runPlan(
        gpu,
        (plan) => [
          columnScale(plan, {
            label: '/added',
            x: upload(gpu, 'x', [N, C], p.x),
            factors: upload(gpu, 'factors', [C], p.factors),
            bias: upload(gpu, 'bias', [C], p.bias),
            shift: -1,
            out,
            accumulate: true,
          }),
        ],
        1,
      );
      results.push(found);
    }
    expect(relativeError(results[0], expected)).toBeLessThan(SCALE_TOLERANCE);
    expect(results[1]).toEqual(results[0]);
  });

  it('takes factors in the shapes that PEFT saves them in', async () => {
    const p = problem(5, 6);
    const x = upload(gpu, 'x', [5, 6], p.x);
    const scaled = (shape: number[]) => (plan: PlanBuilder) => [
      columnScale(plan, { label: '/ia3', x, factors: upload(gpu, 'ia3_l', shape, p.factors) }),
    ];
    const [flat] = await runPlan(gpu, scaled([6]));
    for (const shape of [
      [6, 1],
      [1, 6],
    ])
      expect((await runPlan(gpu, scaled(shape)))[0]).toEqual(flat);
  });

  it('folds a grid of more than 65535 workgroups', async () => {
    const [N, C] = [65537, 65];
    const x = upload(gpu, 'x', [N, C], new Float32Array(N * C).fill(2));
    const factors = upload(gpu, 'factors', [C], new Float32Array(C).fill(3));
    const [out] = await runPlan(gpu, (plan) => [columnScale(plan, { label: '/big', x, factors })]);
    expect(out.every((value) => value === 6)).toBe(true);
    gpu.destroyTensor(x);
  });

  it('refuses other shapes and types by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const x = gpu.createTensor('x', [4, 8]);
    const factors = gpu.createTensor('factors', [8]);
    const other = gpu.createTensor('other', [9]);
    const whole = gpu.createTensor('whole', [8], 'i32');
    const good = { label: '/scale', x, factors };
    expect(() => columnScale(plan, good)).not.toThrow();
    expect(() => columnScale(plan, { ...good, factors: other })).toThrow(KernelError);
    expect(() => columnScale(plan, { ...good, factors: other })).toThrow(
      /\/scale \(column-scale\): factors \(other\) is f32 \[9\], 8 elements/,
    );
    expect(() => columnScale(plan, { ...good, factors: whole })).toThrow(
      /factors \(whole\) is i32/,
    );
    expect(() => columnScale(plan, { ...good, bias: other })).toThrow(/bias \(other\)/);
    expect(() => columnScale(plan, { ...good, x: factors })).toThrow(/x \(factors\).*matrix/);
    expect(() => columnScale(plan, { ...good, out: factors })).toThrow(/out \(factors\)/);
    expect(() => columnScale(plan, { ...good, accumulate: true })).toThrow(/needs an out/);
  });
});

describe('column-dot', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const run = async (
    [N, C]: readonly [number, number],
    p: { a: Float64Array; b: Float64Array; factors?: Float64Array; before: Float64Array },
  ) => {
    const into = upload(gpu, 'into', [C], p.before);
    const [found] = await runPlan(
      gpu,
      (plan) => {
        columnDot(plan, {
          label: '/dot',
          a: upload(gpu, 'a', [N, C], p.a),
          b: upload(gpu, 'b', [N, C], p.b),
          factors: p.factors && upload(gpu, 'factors', [C], p.factors),
          into,
        });
        return [into];
      },
      1,
    );
    return found;
  };

  for (const size of SIZES)
    for (const withFactors of [false, true])
      it(`adds what the oracle says at ${size[0]} rows of ${size[1]}${withFactors ? ', with factors' : ''}, the same bits twice`, async () => {
        const [N, C] = size;
        const p = {
          a: uniform(N * C, 1),
          b: uniform(N * C, 2),
          factors: withFactors ? uniform(C, 3, 0.5, 2) : undefined,
          before: uniform(C, 4),
        };
        const expected = oracle
          .columnDot(p.a, p.b, C, p.factors)
          .map((value, c) => value + p.before[c]);
        const found = await run(size, p);
        expect(relativeError(found, expected)).toBeLessThan(DOT_TOLERANCE);
        expect(await run(size, p)).toEqual(found);
      });

  it('is the gradient of the factors: finite differences of the scaling kernel', async () => {
    const [N, C] = [7, 5];
    const [x, factors, dOut] = [uniform(N * C, 1), uniform(C, 2), uniform(N * C, 3)];
    const gradient = await run([N, C], { a: dOut, b: x, before: new Float64Array(C) });
    const loss = async (values: Float64Array) => {
      const [out] = await runPlan(gpu, (plan) => [
        columnScale(plan, {
          label: '/scale',
          x: upload(gpu, 'x', [N, C], x),
          factors: upload(gpu, 'factors', [C], values),
        }),
      ]);
      return dot(out, dOut);
    };
    // Linear in the factors: a step of 1/2 has no truncation error.
    const slopes = new Float64Array(C);
    for (let c = 0; c < C; c++) {
      const moved = (by: number) => factors.map((value, i) => (i === c ? value + by : value));
      slopes[c] = (await loss(moved(0.5))) - (await loss(moved(-0.5)));
    }
    expect(relativeError(gradient, slopes)).toBeLessThan(1e-5);
  });

  it('refuses other shapes and types by name', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const a = gpu.createTensor('a', [4, 8]);
    const b = gpu.createTensor('b', [4, 8]);
    const into = gpu.createTensor('into', [8, 1]);
    const other = gpu.createTensor('other', [4, 9]);
    const good = { label: '/dot', a, b, into };
    expect(() => columnDot(plan, good)).not.toThrow();
    expect(() => columnDot(plan, { ...good, b: other })).toThrow(KernelError);
    expect(() => columnDot(plan, { ...good, b: other })).toThrow(
      /\/dot \(column-dot\): b \(other\).*\[4, 8\]/,
    );
    expect(() => columnDot(plan, { ...good, into: a })).toThrow(/into \(a\) is f32 \[4,8\], 8/);
    expect(() => columnDot(plan, { ...good, factors: other })).toThrow(/factors \(other\)/);
    expect(() => columnDot(plan, { ...good, a: into })).toThrow(/b \(b\).*\[8, 1\]/);
  });
});
