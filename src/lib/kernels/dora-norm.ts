/** DoRA's row norms (arXiv 2402.09353): what a layer's magnitudes are divided by, once for every step. */
import { read, write, type PlanBuilder, type Tensor } from '../gpu';
import { floatBits, foldGrid, requireTensor } from './add-elementwise';
import DORA_NORM_WGSL from './dora-norm.wgsl?raw';
import { checkWeight, isWeightDType, weightPrelude, type WeightMatrix } from './weight';
import { KernelError } from './errors';

const HALF_GROUP = 32;

export interface DoraNormOptions {
  label: string;
  /** 'out-in' */
  weight: WeightMatrix;
  /** (R, in) */
  a: Tensor;
  /** (out, R) */
  b: Tensor;
  scale: number;
  /** (out) */
  magnitude: Tensor;
  /** (out), written: magnitude / ||W + scale B A|| of each row. */
  factor: Tensor;
  /** (out), written: 1 / norm. */
  inverseNorm: Tensor;
}

/** @throws KernelError */
export function doraNorm(plan: PlanBuilder, options: DoraNormOptions): void {
  const { label, weight, a, b, scale, magnitude, factor, inverseNorm } = options;
  const where = `${label} (dora-norm)`;
  checkWeight(where, weight);
  const { tensor, inFeatures, outFeatures } = weight;
  if (weight.layout !== 'out-in' || !isWeightDType(tensor.dtype))
    throw new KernelError('shape', `${where}: a weight (out, in) is needed.`);
  const rank = a.shape[0];
  requireTensor(where, 'a', a, [rank, inFeatures]);
  requireTensor(where, 'b', b, [outFeatures, rank]);
  for (const [name, vector] of Object.entries({ magnitude, factor, inverseNorm }))
    requireTensor(where, name, vector, [outFeatures]);
  plan.dispatch({
    label,
    kernel: {
      name: `dora-norm-${tensor.dtype}`,
      wgsl: weightPrelude(tensor.dtype) + DORA_NORM_WGSL,
    },
    bindings: [read(tensor), read(a), read(b), read(magnitude), write(factor), write(inverseNorm)],
    uniforms: [outFeatures, inFeatures, rank, floatBits(scale), HALF_GROUP],
    grid: foldGrid(outFeatures),
  });
}
