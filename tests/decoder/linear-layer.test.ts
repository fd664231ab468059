/**
 * Plan: what LoRA, DoRA and PiSSA make of one linear layer, with dropout and without: the output and every
 * gradient against float64 with the same mask, and the float64 against finite differences; the gradient of
 * the input written, added or left out; no dropout in evaluation; the same bits twice.
 *
 * The formula is PEFT's (`lora/layer.py`, `lora/dora.py`), x' = dropout(x):
 *   LoRA and PiSSA  y = W x + b + s B A x' - s B0 A0 x
 *   DoRA            y = W x + b + (f - 1) W x' + f s B A x',  f = m / ||W + s B A|| with a constant norm
 *
 * Tolerance 1e-5 of the root mean square: a few f32 products in a row, each within 1e-6 or so.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinearSite } from '$lib/config';
import type { ModelWeights } from '$lib/decoder';
import type { LayerContext } from '$lib/decoder/layer-context';
import { backwardLinear, forwardLinear } from '$lib/decoder/linear-layer';
import type { Adapter, LoraPair } from '$lib/decoder/trainable';
import { prepareAdapter } from '$lib/decoder';
import type { Gpu, Tensor } from '$lib/gpu';
import { dropoutMask } from '$lib/kernels/dropout';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import { requestTestGpu } from '../dawn';
import { gradientError } from '../kernels/oracle/add-harness';
import { columnDot, columnScale } from '../kernels/oracle/column-scale';
import { doraNorm } from '../kernels/oracle/dora-norm';
import {
  columnSums,
  matrix,
  product,
  randomMatrix,
  relativeError,
  runPlan,
  scaledSum,
  transposed,
  upload,
  withBias,
  type Matrix,
} from '../kernels/oracle/matmul';

const TOLERANCE = 1e-5;
const SEED = 91;
const DROPOUT_SITE = 4;
const [N, IN, OUT, R] = [19, 13, 11, 3];
const SCALE = 1.7;

const SITE: LinearSite = {
  path: 'model.layers.0.self_attn.q_proj',
  module: 'q_proj',
  layer: 0,
  inFeatures: IN,
  outFeatures: OUT,
  hasBias: true,
};

interface Problem {
  x: Matrix;
  weight: Matrix;
  bias: Matrix;
  a: Matrix;
  b: Matrix;
  dOut: Matrix;
  /** PiSSA's. */
  initial?: { a: Matrix; b: Matrix };
  /** DoRA's. */
  magnitude?: Matrix;
  dropout: number;
}

const METHODS = ['lora', 'dora', 'pissa'] as const;

function problem(method: (typeof METHODS)[number], dropout: number): Problem {
  return {
    x: randomMatrix(N, IN, 1),
    weight: randomMatrix(OUT, IN, 2),
    bias: randomMatrix(1, OUT, 3),
    a: randomMatrix(R, IN, 4),
    b: randomMatrix(OUT, R, 5),
    dOut: randomMatrix(N, OUT, 6),
    initial:
      method === 'pissa' ? { a: randomMatrix(R, IN, 7), b: randomMatrix(OUT, R, 8) } : undefined,
    magnitude: method === 'dora' ? randomMatrix(1, OUT, 9) : undefined,
    dropout,
  };
}

const multiplied = (m: Matrix, by: ArrayLike<number>) =>
  matrix(
    m.rows,
    m.columns,
    m.data.map((value, i) => value * by[i]),
  );
const scaled = (m: Matrix, factors: ArrayLike<number>, shift = 0) =>
  matrix(m.rows, m.columns, columnScale(m.data, factors, { shift }));
const low = (x: Matrix, { a, b }: { a: Matrix; b: Matrix }) =>
  product(product(x, transposed(a)), transposed(b));

/** What is a constant in the gradient, so that finite differences can hold it. */
const inverseNormOf = (p: Problem) =>
  doraNorm(p.weight, p.a, p.b, SCALE, new Float64Array(OUT)).inverseNorm;

const maskOf = (p: Problem) => dropoutMask(SEED, DROPOUT_SITE, N * IN, p.dropout);

function forward(p: Problem, inverseNorm = inverseNormOf(p)): Matrix {
  const base = product(p.x, transposed(p.weight));
  const dropped = multiplied(p.x, maskOf(p));
  const whole = withBias(base, p.bias.data);
  if (!p.magnitude) {
    const added = scaledSum(SCALE, low(dropped, p), whole);
    return p.initial ? scaledSum(-SCALE, low(p.x, p.initial), added) : added;
  }
  const factors = p.magnitude.data.map((value, i) => value * inverseNorm[i]);
  const stretched = scaled(product(dropped, transposed(p.weight)), factors, -1);
  return scaledSum(SCALE, scaled(low(dropped, p), factors), scaledSum(1, stretched, whole));
}

function gradients(p: Problem) {
  const mask = maskOf(p);
  const dropped = multiplied(p.x, mask);
  const inverseNorm = inverseNormOf(p);
  const factors = p.magnitude?.data.map((value, i) => value * inverseNorm[i]);
  const dLow = factors ? scaled(p.dOut, factors) : p.dOut;
  const h = product(dropped, transposed(p.a));
  const dH = scaledSum(SCALE, product(dLow, p.b), matrix(N, R));
  const through = product(dH, p.a);
  const dDropped = factors
    ? scaledSum(1, through, product(scaled(p.dOut, factors, -1), p.weight))
    : through;
  const straight = product(p.dOut, p.weight);
  const start = p.initial
    ? scaledSum(-SCALE, product(product(p.dOut, p.initial.b), p.initial.a), straight)
    : straight;
  const z = scaledSum(SCALE, low(dropped, p), product(dropped, transposed(p.weight)));
  return {
    dX: scaledSum(1, multiplied(dDropped, mask), start).data,
    dA: product(transposed(dH), dropped).data,
    dB: scaledSum(SCALE, product(transposed(dLow), h), matrix(OUT, R)).data,
    dBias: columnSums(p.dOut),
    dMagnitude: columnDot(p.dOut.data, z.data, OUT, inverseNorm),
  };
}

describe('a linear layer', () => {
  let gpu: Gpu;
  let step: Tensor;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    step = createStepState(gpu);
    uploadStepState(gpu, step, {
      dropoutSeed: SEED,
      targetCount: 0,
      lossScale: 0,
      learningRate: 0,
      biasCorrection1: 1,
      biasCorrection2: 1,
    });
  });
  afterAll(() => gpu.dispose());

  type Into = 'written' | 'added' | 'none';

  /** @param before what dX holds */
  const run = async (p: Problem, training = true, into: Into = 'written', before?: Matrix) => {
    const on = (label: string, m: Matrix) => upload(gpu, label, m);
    const vector = (label: string, values?: Matrix) =>
      gpu.createTensor(label, [OUT], 'f32', values && Float32Array.from(values.data));
    const gradient = { dA: gpu.createTensor('dA', [R, IN]), dB: gpu.createTensor('dB', [OUT, R]) };
    const bias = { value: vector('bias', p.bias), gradient: vector('dBias') };
    const magnitude = p.magnitude && {
      value: vector('magnitude', p.magnitude),
      gradient: vector('dMagnitude'),
      factor: vector('factor'),
      inverseNorm: vector('inverseNorm'),
    };
    const pair: LoraPair = {
      a: on('A', p.a),
      b: on('B', p.b),
      scale: SCALE,
      ...gradient,
      initial: p.initial && { a: on('A0', p.initial.a), b: on('B0', p.initial.b) },
      magnitude,
    };
    const adapter: Adapter = {
      lora: () => pair,
      bias: () => bias,
      scaling: () => undefined,
      tensor: () => undefined,
      prefix: undefined,
      dropout: p.dropout,
    };
    const weight = {
      tensor: on('weight', p.weight),
      layout: 'out-in',
      inFeatures: IN,
      outFeatures: OUT,
    };
    const weights = { nf4: () => undefined, matrix: () => weight } as unknown as ModelWeights;
    const given = into === 'added' ? on('dX', before!) : undefined;
    const [out, dX] = await runPlan(gpu, (plan) => {
      prepareAdapter(plan, [SITE], weights, adapter);
      const context: LayerContext = { plan, weights, adapter, step, training, fp16: false };
      const { out, trace } = forwardLinear(context, SITE, DROPOUT_SITE, on('x', p.x));
      if (!training) return [out];
      const target = into === 'none' ? undefined : { tensor: given, accumulate: into === 'added' };
      const dX = backwardLinear(context, trace, on('dOut', p.dOut), target);
      return dX ? [out, dX] : [out];
    });
    const floats = async (tensor: Tensor | undefined) =>
      tensor ? gpu.readFloats(tensor) : new Float32Array();
    return {
      out,
      dX,
      dA: await floats(gradient.dA),
      dB: await floats(gradient.dB),
      dBias: await floats(bias.gradient),
      dMagnitude: await floats(magnitude?.gradient),
    };
  };

  const namesOf = (p: Problem) =>
    p.magnitude
      ? (['dX', 'dA', 'dB', 'dBias', 'dMagnitude'] as const)
      : (['dX', 'dA', 'dB', 'dBias'] as const);

  describe.each(METHODS)('with %s', (method) => {
    it.each([0, 0.4])(
      'has an oracle whose gradients are finite differences, dropout %d',
      (rate) => {
        const p = problem(method, rate);
        const norm = inverseNormOf(p);
        const found = gradients(p);
        const slope = (change: (values: Float64Array) => Partial<Problem>) => (v: Float64Array) =>
          forward({ ...p, ...change(v) }, norm).data.reduce(
            (sum, value, i) => sum + value * p.dOut.data[i],
            0,
          );
        const errors = {
          dX: gradientError(
            slope((v) => ({ x: matrix(N, IN, v) })),
            p.x.data,
            found.dX,
          ),
          dA: gradientError(
            slope((v) => ({ a: matrix(R, IN, v) })),
            p.a.data,
            found.dA,
          ),
          dB: gradientError(
            slope((v) => ({ b: matrix(OUT, R, v) })),
            p.b.data,
            found.dB,
          ),
          dBias: gradientError(
            slope((v) => ({ bias: matrix(1, OUT, v) })),
            p.bias.data,
            found.dBias,
          ),
          dMagnitude: p.magnitude
            ? gradientError(
                slope((v) => ({ magnitude: matrix(1, OUT, v) })),
                p.magnitude.data,
                found.dMagnitude,
              )
            : 0,
        };
        for (const [name, error] of Object.entries(errors)) expect(error, name).toBeLessThan(1e-7);
      },
    );

    it.each([0, 0.1, 0.4, 0.9])(
      'gives the output and gradients of float64, dropout %d, the same bits twice',
      async (rate) => {
        const p = problem(method, rate);
        const found = await run(p);
        const expected = gradients(p);
        expect(relativeError(found.out, forward(p).data), 'out').toBeLessThan(TOLERANCE);
        for (const name of namesOf(p))
          expect(relativeError(found[name]!, expected[name]), name).toBeLessThan(TOLERANCE);
        expect(await run(p)).toEqual(found);
      },
    );

    it.each([0, 0.4])(
      'adds the gradient of the input, or leaves it out, dropout %d',
      async (rate) => {
        const p = problem(method, rate);
        const before = randomMatrix(N, IN, 10);
        const written = await run(p);
        const added = await run(p, true, 'added', before);
        const sum = before.data.map((value, i) => value + gradients(p).dX[i]);
        expect(relativeError(added.dX!, sum)).toBeLessThan(TOLERANCE);
        expect({ ...added, dX: undefined }).toEqual({ ...written, dX: undefined });
        const none = await run(p, true, 'none');
        expect(none.dX).toBeUndefined();
        expect(none).toEqual({ ...written, dX: undefined });
      },
    );

    it('drops nothing in evaluation', async () => {
      const { out } = await run(problem(method, 0.4), false);
      expect(relativeError(out, forward(problem(method, 0)).data)).toBeLessThan(TOLERANCE);
    });
  });

  it('takes the start of PiSSA away from what came in, not from what dropout left of it', async () => {
    // Before the first step A and B are their start: all that is left of the path is what dropout changed.
    const p = problem('pissa', 0.4);
    p.initial = { a: p.a, b: p.b };
    const { out } = await run(p);
    const difference = scaledSum(-1, p.x, multiplied(p.x, maskOf(p)));
    const base = withBias(product(p.x, transposed(p.weight)), p.bias.data);
    const expected = scaledSum(SCALE, low(difference, p), base);
    expect(relativeError(out, expected.data)).toBeLessThan(TOLERANCE);
  });
});
