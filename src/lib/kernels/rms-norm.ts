/**
 * Root-mean-square normalisation with a learned scale (Zhang and Sennrich 2019, as LlamaRMSNorm has it).
 * Also serves the norms of queries and keys: the caller reads (N, H*D) as (N*H, D).
 */
import { read, update, write, type Gpu, type PlanBuilder, type Tensor } from '../gpu';
import {
  foldGrid,
  matrixShape,
  packPrelude,
  packWidth,
  requireCount,
  requireTensor,
} from './add-elementwise';
import { WEIGHT_DTYPES, weightPrelude } from './embedding-weights';
import { KernelError } from './errors';
import SUBGROUP_SUM_WGSL from './rms-norm-sum-subgroup.wgsl?raw';
import SUM_WGSL from './rms-norm-sum.wgsl?raw';
import RMS_NORM_WEIGHT_WGSL from './rms-norm-weight.wgsl?raw';
import RMS_NORM_WGSL from './rms-norm.wgsl?raw';
import { rowLanes } from './subgroup-lanes';

const WORKGROUP = 64;
/** The weight's gradient is summed in at most this many slices, of at least MIN_SLICE_ROWS rows. */
const MAX_SLICES = 256;
const MIN_SLICE_ROWS = 16;

/** `subgroup` on adapters whose subgroups are all of one size, `workgroup` everywhere. */
export type RmsNormVariant = 'subgroup' | 'workgroup';

/** Variants that this device can run, the fastest first. They add in different orders. */
export function rmsNormVariants(gpu: Gpu): RmsNormVariant[] {
  return rowLanes(gpu) ? ['subgroup', 'workgroup'] : ['workgroup'];
}

export interface RmsNormOptions {
  label: string;
  /** (N, C) */
  x: Tensor;
  /** (C), f32, f16 or bf16 */
  weight: Tensor;
  epsilon: number;
  /** (N, C), written; a tensor of the plan when left out. */
  out?: Tensor;
  /** For tests; the fastest when left out. */
  variant?: RmsNormVariant;
}

/** @returns out (N, C) and rstd (N), which backward needs. @throws KernelError */
export function rmsNormForward(
  plan: PlanBuilder,
  { label, x, weight, epsilon, out, variant }: RmsNormOptions,
): { out: Tensor; rstd: Tensor } {
  const { N, C, geometry } = check(plan.gpu, label, x, weight, variant);
  if (out) requireTensor(`${label} (rms-norm)`, 'out', out, [N, C]);
  const result = out ?? plan.tensor(`${label}/out`, [N, C]);
  const rstd = plan.tensor(`${label}/rstd`, [N]);
  plan.dispatch({
    label,
    kernel: {
      ...geometry.kernel,
      entryPoint: 'forward',
      constants: { ...geometry.constants, EPSILON: epsilon },
    },
    bindings: [read(x), read(weight), write(result), write(rstd)],
    uniforms: [N],
    grid: geometry.grid,
  });
  return { out: result, rstd };
}

export interface RmsNormBackwardOptions {
  label: string;
  /** (N, C) */
  dOut: Tensor;
  /** (N, C), the forward's input */
  x: Tensor;
  /** (C), f32, f16 or bf16 */
  weight: Tensor;
  /** (N) of the forward */
  rstd: Tensor;
  /** (N, C), written or added to; a tensor of the plan when left out. */
  dX?: Tensor;
  /** dX += instead of dX =; needs `dX`. */
  accumulate?: boolean;
  /** (C) f32, accumulates; left out when the weight is frozen. */
  dWeight?: Tensor;
  /** For tests; the fastest when left out. */
  variant?: RmsNormVariant;
}

/** @returns dX (N, C). @throws KernelError */
export function rmsNormBackward(plan: PlanBuilder, options: RmsNormBackwardOptions): Tensor {
  const { label, dOut, x, weight, rstd, dWeight } = options;
  const where = `${label} (rms-norm)`;
  const { N, C, geometry } = check(plan.gpu, label, x, weight, options.variant);
  requireTensor(where, 'dOut', dOut, [N, C]);
  requireTensor(where, 'rstd', rstd, [N]);
  if (options.dX) requireTensor(where, 'dX', options.dX, [N, C]);
  if (dWeight) requireTensor(where, 'dWeight', dWeight, [C]);
  const accumulate = options.accumulate ?? false;
  if (accumulate && !options.dX)
    throw new KernelError('shape', `${where}: accumulate needs a dX to add to.`);
  const dX = options.dX ?? plan.tensor(`${label}/dX`, [N, C]);
  plan.dispatch({
    label: `${label} backward`,
    kernel: {
      ...geometry.kernel,
      entryPoint: 'backward',
      constants: { ...geometry.constants, ACCUMULATE: accumulate ? 1 : 0 },
    },
    bindings: [read(x), read(weight), read(rstd), read(dOut), accumulate ? update(dX) : write(dX)],
    uniforms: [N],
    grid: geometry.grid,
  });
  if (dWeight) weightGradient(plan, label, { x, dOut, rstd, dWeight, N, C });
  return dX;
}

function check(
  gpu: Gpu,
  label: string,
  x: Tensor,
  weight: Tensor,
  variant = rmsNormVariants(gpu)[0],
) {
  const where = `${label} (rms-norm)`;
  const [N, C] = matrixShape(where, 'x', x);
  requireCount(where, 'N', N);
  requireCount(where, 'C', C);
  requireTensor(where, 'x', x, [N, C]);
  requireTensor(where, 'weight', weight, [C], WEIGHT_DTYPES);
  const width = packWidth(C);
  const subgroup = variant === 'subgroup' ? rowLanes(gpu) : undefined;
  const lanes = subgroup ?? lanesOf(C / width);
  const rows = subgroup ? 1 : WORKGROUP / lanes;
  const text = packPrelude(width) + weightPrelude(weight.dtype, width) + RMS_NORM_WGSL;
  const geometry = {
    kernel: subgroup
      ? { name: 'rms-norm-subgroup', wgsl: `enable subgroups;\n${text}${SUBGROUP_SUM_WGSL}` }
      : { name: 'rms-norm', wgsl: text + SUM_WGSL },
    constants: { C, LANES: lanes, ROWS: rows },
    grid: foldGrid(Math.ceil(N / rows)),
  };
  return { N, C, geometry };
}

/** Few lanes a row: one barrier and a short serial sum cost less than a tree on every GPU. */
function lanesOf(packs: number): number {
  let lanes = 4;
  while (lanes < WORKGROUP && lanes * 4 < packs) lanes *= 2;
  return lanes;
}

function weightGradient(
  plan: PlanBuilder,
  label: string,
  t: { x: Tensor; dOut: Tensor; rstd: Tensor; dWeight: Tensor; N: number; C: number },
): void {
  const { x, dOut, rstd, dWeight, N, C } = t;
  const rowsPerSlice = Math.max(MIN_SLICE_ROWS, Math.ceil(N / MAX_SLICES));
  const S = Math.ceil(N / rowsPerSlice);
  const columns = Math.ceil(C / WORKGROUP);
  const slices = plan.tensor(`${label}/dWeight slices`, [S, C]);
  const kernel = { name: 'rms-norm-weight', wgsl: RMS_NORM_WEIGHT_WGSL, constants: { C } };
  plan.dispatch({
    label: `${label} dWeight`,
    kernel: { ...kernel, entryPoint: 'sumRows' },
    bindings: [read(x), read(dOut), read(rstd), write(slices)],
    uniforms: [N, rowsPerSlice],
    grid: [columns, S],
  });
  plan.dispatch({
    label: `${label} dWeight`,
    kernel: { ...kernel, entryPoint: 'sumSlices' },
    bindings: [read(slices), update(dWeight)],
    uniforms: [S],
    grid: [columns],
  });
}
