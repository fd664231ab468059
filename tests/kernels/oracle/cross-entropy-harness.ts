/** A problem of linearCrossEntropy and one run of it: what its two test files share. */
import type { DType, Gpu } from '$lib/gpu';
import { linearCrossEntropy, sumLoss } from '$lib/kernels/cross-entropy';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import type { WeightMatrix } from '$lib/kernels/weight';
import { randomMatrix, runPlan, transposed, upload, type Matrix } from './matmul';

export interface Problem {
  hidden: Matrix;
  /** (V, C) */
  weight: Matrix;
  bias?: Matrix;
  rows: number[];
  targets: number[];
  lossScale: number;
  labelSmoothing?: number;
}

export interface Options {
  dtype?: DType;
  layout?: WeightMatrix['layout'];
  chunkRows?: number;
  gradient?: boolean;
  correct?: boolean;
  /** (V, C): what dWeight holds before; it is not asked for when left out. */
  before?: Matrix;
}

/** `live` rows out of N in a scattered order, with targets all over the vocabulary. */
export function problem(N: number, C: number, V: number, live: number): Problem {
  const rows = Array.from({ length: N }, (_, i) => i).sort(
    (i, j) => ((i * 7919) % 101) - ((j * 7919) % 101) || i - j,
  );
  return {
    hidden: randomMatrix(N, C, 1),
    weight: randomMatrix(V, C, 2),
    rows: rows.slice(0, live),
    targets: Array.from({ length: live }, (_, i) => (i * 37 + V - 1) % V),
    lossScale: 0.125,
  };
}

/** Everything that forward and backward write, and the sum of the losses added to 10. */
export async function runCrossEntropy(gpu: Gpu, p: Problem, options: Options = {}) {
  const { dtype = 'f32', layout = 'out-in', gradient = true, correct = true } = options;
  const [N, C, V] = [p.hidden.rows, p.hidden.columns, p.weight.rows];
  const step = createStepState(gpu);
  uploadStepState(gpu, step, {
    dropoutSeed: 1,
    targetCount: p.rows.length,
    lossScale: p.lossScale,
    learningRate: 1,
    biasCorrection1: 1,
    biasCorrection2: 1,
  });
  // What follows the valid entries is garbage and must not be used.
  const padded = (values: number[]) =>
    Int32Array.from({ length: N }, (_, i) => values[i] ?? 987654);
  const weight: WeightMatrix = {
    tensor: upload(gpu, 'weight', layout === 'out-in' ? p.weight : transposed(p.weight), dtype),
    layout,
    inFeatures: C,
    outFeatures: V,
  };
  const dirt = Float32Array.from({ length: N * C }, () => 5);
  const dHidden = gpu.createTensor('dHidden', [N, C], 'f32', dirt);
  const loss = gpu.createTensor('loss', [N], 'f32', dirt.subarray(0, N));
  const dWeight = options.before && upload(gpu, 'dWeight', options.before);
  const hits = gpu.createTensor(
    'correct',
    [N],
    'u32',
    Uint32Array.from({ length: N }, () => 5),
  );
  const total = gpu.createTensor('total', [1], 'f32', Float32Array.of(10));
  await runPlan(gpu, (plan) => {
    linearCrossEntropy(plan, {
      label: '/lm_head',
      hidden: upload(gpu, 'hidden', p.hidden),
      weight,
      bias: p.bias && gpu.createTensor('bias', [V], 'f32', Float32Array.from(p.bias.data)),
      rowIndex: gpu.createTensor('rowIndex', [N], 'i32', padded(p.rows)),
      targets: gpu.createTensor('targets', [N], 'i32', padded(p.targets)),
      step,
      loss,
      dHidden: gradient ? dHidden : undefined,
      dWeight,
      correct: correct ? hits : undefined,
      chunkRows: options.chunkRows,
      labelSmoothing: p.labelSmoothing,
    });
    sumLoss(plan, { label: '/loss', loss, total });
    return [];
  });
  return {
    loss: await gpu.readFloats(loss),
    dHidden: await gpu.readFloats(dHidden),
    correct: new Uint32Array(await gpu.readBytes(hits)),
    total: (await gpu.readFloats(total))[0],
    dWeight: dWeight && (await gpu.readFloats(dWeight)),
  };
}
