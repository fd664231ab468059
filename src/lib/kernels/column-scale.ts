/**
 * Learned factors on the columns of a matrix, and their gradient: IA3's vectors and DoRA's magnitudes.
 * N rows, C columns.
 */
import { elementCount, read, update, write, type PlanBuilder, type Tensor } from '../gpu';
import {
  floatBits,
  foldGrid,
  matrixShape,
  requireElements,
  requireTensor,
} from './add-elementwise';
import COLUMN_DOT_WGSL from './column-dot.wgsl?raw';
import COLUMN_SCALE_WGSL from './column-scale.wgsl?raw';
import { KernelError } from './errors';

const WORKGROUP = 64;
/** Columns that one workgroup of column-dot.wgsl adds up, and half of the invocations that share one. */
const COLUMNS_A_GROUP = 16;
const HALF_GROUP = 8;

export interface ColumnScaleOptions {
  label: string;
  /** (N, C) */
  x: Tensor;
  /** C elements, of any shape. */
  factors: Tensor;
  /** Added to every factor; 0 when left out. */
  shift?: number;
  /** C elements, added to the product. */
  bias?: Tensor;
  /** (N, C), other memory than x; a tensor of the plan when left out. */
  out?: Tensor;
  /** out += instead of out =; needs `out`. */
  accumulate?: boolean;
}

/** @returns out = x * (factors + shift) + bias, (N, C). @throws KernelError */
export function columnScale(plan: PlanBuilder, options: ColumnScaleOptions): Tensor {
  const { label, x, factors, shift = 0, bias, accumulate = false } = options;
  const where = `${label} (column-scale)`;
  const [N, C] = matrixShape(where, 'x', x);
  const elements = requireElements(where, 'x', x);
  requireTensor(where, 'x', x, [N, C]);
  requireColumns(where, 'factors', factors, C);
  if (bias) requireColumns(where, 'bias', bias, C);
  if (options.out) requireTensor(where, 'out', options.out, [N, C]);
  if (accumulate && !options.out)
    throw new KernelError('shape', `${where}: accumulate needs an out to add to.`);
  const out = options.out ?? plan.tensor(`${label}/out`, [N, C]);
  plan.dispatch({
    label,
    kernel: { name: 'column-scale', wgsl: COLUMN_SCALE_WGSL },
    bindings: [
      read(x),
      read(factors),
      read(bias ?? factors),
      accumulate ? update(out) : write(out),
    ],
    uniforms: [elements, C, floatBits(shift), bias ? 1 : 0, accumulate ? 1 : 0],
    grid: foldGrid(Math.ceil(elements / WORKGROUP)),
  });
  return out;
}

export interface ColumnDotOptions {
  label: string;
  /** (N, C) */
  a: Tensor;
  /** (N, C) */
  b: Tensor;
  /** C elements, on the sums; 1 when left out. */
  factors?: Tensor;
  /** C elements, accumulates. */
  into: Tensor;
}

/** into += factors * column sums of a * b, in a fixed order. @throws KernelError */
export function columnDot(plan: PlanBuilder, options: ColumnDotOptions): void {
  const { label, a, b, factors, into } = options;
  const where = `${label} (column-dot)`;
  const [N, C] = matrixShape(where, 'a', a);
  requireElements(where, 'a', a);
  requireTensor(where, 'a', a, [N, C]);
  requireTensor(where, 'b', b, [N, C]);
  requireColumns(where, 'into', into, C);
  if (factors) requireColumns(where, 'factors', factors, C);
  plan.dispatch({
    label,
    kernel: { name: 'column-dot', wgsl: COLUMN_DOT_WGSL },
    bindings: [read(a), read(b), read(factors ?? a), update(into)],
    uniforms: [N, C, HALF_GROUP, factors ? 1 : 0],
    grid: [Math.ceil(C / COLUMNS_A_GROUP)],
  });
}

function requireColumns(where: string, name: string, tensor: Tensor, C: number): void {
  if (elementCount(tensor.shape) !== C || tensor.dtype !== 'f32')
    throw new KernelError(
      'shape',
      `${where}: ${name} (${tensor.label}) is ${tensor.dtype} [${tensor.shape}], ${C} elements of f32 are needed.`,
    );
}
