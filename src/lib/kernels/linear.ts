/**
 * Linear layers, forward and backward: y = x W^T + bias for a weight of either layout and storage type.
 * N rows, `in` and `out` features.
 */
import { elementCount, read, update, type PlanBuilder, type Tensor } from '../gpu';
import COLUMN_SUM from './column-sum.wgsl?raw';
import { KernelError } from './errors';
import { matmul } from './matmul';
import { checkWeight, type WeightMatrix } from './weight';

/** Columns that one workgroup of column-sum.wgsl adds up. */
const COLUMNS_A_GROUP = 16;
/** Half of the invocations that share a column. */
const HALF_GROUP = 8;

export interface LinearForwardArgs {
  readonly label: string;
  /** (N, in) */
  readonly x: Tensor;
  readonly weight: WeightMatrix;
  /** (out) */
  readonly bias?: Tensor;
  /** (N, out); made when left out. */
  readonly out?: Tensor;
  /** out += x W^T + bias: the residual add, fused. */
  readonly accumulate?: boolean;
}

/** @returns (N, out) */
export function linearForward(plan: PlanBuilder, args: LinearForwardArgs): Tensor {
  const { label, x, weight, bias, out, accumulate } = args;
  checkWeight(label, weight);
  return matmul(plan, {
    label,
    a: x,
    b: weight.tensor,
    fp16: weight.fp16,
    transposeB: weight.layout === 'out-in',
    bias,
    out,
    accumulate,
  });
}

export interface LinearBackwardInputArgs {
  readonly label: string;
  /** (N, out) */
  readonly dOut: Tensor;
  readonly weight: WeightMatrix;
  /** (N, in); made when left out. */
  readonly dX?: Tensor;
  readonly accumulate?: boolean;
}

/** @returns dX = dOut W, (N, in) */
export function linearBackwardInput(plan: PlanBuilder, args: LinearBackwardInputArgs): Tensor {
  const { label, dOut, weight, dX, accumulate } = args;
  checkWeight(label, weight);
  return matmul(plan, {
    label,
    a: dOut,
    b: weight.tensor,
    fp16: weight.fp16,
    transposeB: weight.layout === 'in-out',
    out: dX,
    accumulate,
  });
}

export interface LinearBackwardWeightArgs {
  readonly label: string;
  /** (N, out) */
  readonly dOut: Tensor;
  /** (N, in) */
  readonly x: Tensor;
  /** (out, in) f32, accumulates. */
  readonly dWeight: Tensor;
}

/** dWeight += dOut^T x */
export function linearBackwardWeight(plan: PlanBuilder, args: LinearBackwardWeightArgs): void {
  const { label, dOut, x, dWeight } = args;
  matmul(plan, { label, a: dOut, b: x, transposeA: true, out: dWeight, accumulate: true });
}

export interface BiasBackwardArgs {
  readonly label: string;
  /** (N, out) */
  readonly dOut: Tensor;
  /** (out), accumulates. */
  readonly dBias: Tensor;
}

/** dBias += column sums of dOut, in a fixed order. */
export function biasBackward(plan: PlanBuilder, args: BiasBackwardArgs): void {
  const { label, dOut, dBias } = args;
  const [rows, columns] = dOut.shape;
  if (dOut.shape.length !== 2 || elementCount(dBias.shape) !== columns)
    throw new KernelError(
      'shape',
      `${label}: dOut (${dOut.label}) has shape [${dOut.shape}] and dBias (${dBias.label}) [${dBias.shape}]; (N, out) and (out) are needed.`,
    );
  for (const tensor of [dOut, dBias])
    if (tensor.dtype !== 'f32')
      throw new KernelError(
        'dtype',
        `${label}: ${tensor.label} is ${tensor.dtype}, f32 is needed.`,
      );
  plan.dispatch({
    label,
    kernel: { name: 'column-sum', wgsl: COLUMN_SUM },
    bindings: [read(dOut), update(dBias)],
    uniforms: [rows, columns, HALF_GROUP],
    grid: [Math.ceil(columns / COLUMNS_A_GROUP)],
  });
}
