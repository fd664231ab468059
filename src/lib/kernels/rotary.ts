/**
 * Rotary position embedding in the half-split order of Hugging Face's Llama (`rotate_half`).
 * Knows no frequencies: the tables of cosines and sines are the caller's.
 */
import { read, write, type PlanBuilder, type Tensor } from '../gpu';
import {
  foldGrid,
  matrixShape,
  packPrelude,
  packWidth,
  requireCount,
  requireTensor,
} from './add-elementwise';
import { KernelError } from './errors';
import ROTARY_WGSL from './rotary.wgsl?raw';

const WORKGROUP = 64;

interface RotaryTables {
  label: string;
  /** (maxT, D/2) f32 */
  cos: Tensor;
  /** (maxT, D/2) f32 */
  sin: Tensor;
  /** Rows of one sequence: the position of row n is n % T unless `positions` says otherwise. */
  T: number;
  heads: number;
  headDim: number;
  /** (N) i32, each in 0..maxT-1 */
  positions?: Tensor;
  /** (N, H*D), other memory than the input; a tensor of the plan when left out. */
  out?: Tensor;
}

export interface RotaryOptions extends RotaryTables {
  /** (N, H*D) */
  x: Tensor;
}

export interface RotaryBackwardOptions extends RotaryTables {
  /** (N, H*D) */
  dOut: Tensor;
}

/** @returns x with each head turned by its row's angles, (N, H*D). @throws KernelError */
export function rotaryForward(plan: PlanBuilder, options: RotaryOptions): Tensor {
  return rotate(plan, options.label, 'x', options.x, options, 1);
}

/** @returns dX (N, H*D): dOut turned by minus the angles. @throws KernelError */
export function rotaryBackward(plan: PlanBuilder, options: RotaryBackwardOptions): Tensor {
  return rotate(plan, `${options.label} backward`, 'dOut', options.dOut, options, -1);
}

function rotate(
  plan: PlanBuilder,
  label: string,
  name: string,
  x: Tensor,
  { cos, sin, T, heads, headDim, positions, out }: RotaryTables,
  direction: 1 | -1,
): Tensor {
  const where = `${label} (rotary)`;
  requireCount(where, 'T', T);
  requireCount(where, 'heads', heads);
  requireCount(where, 'headDim', headDim, 2);
  if (headDim % 2 !== 0)
    throw new KernelError('shape', `${where}: headDim is ${headDim}, an even number is needed.`);
  const [N] = matrixShape(where, name, x);
  requireCount(where, 'N', N);
  requireTensor(where, name, x, [N, heads * headDim]);
  const [maxT] = matrixShape(where, 'cos', cos);
  requireTensor(where, 'cos', cos, [maxT, headDim / 2]);
  requireTensor(where, 'sin', sin, [maxT, headDim / 2]);
  if (positions) requireTensor(where, 'positions', positions, [N], ['i32']);
  else if (Math.min(T, N) > maxT)
    throw new KernelError(
      'shape',
      `${where}: T is ${T}, cos (${cos.label}) has angles for ${maxT} positions.`,
    );
  if (out) requireTensor(where, 'out', out, [N, heads * headDim]);
  const result = out ?? plan.tensor(`${label}/out`, [N, heads * headDim]);
  const width = packWidth(headDim / 2);
  const HALF = headDim / 2 / width;
  plan.dispatch({
    label,
    kernel: {
      name: 'rotary',
      wgsl: packPrelude(width) + ROTARY_WGSL,
      constants: {
        HEADS: heads,
        HALF,
        DIRECTION: direction,
        HAS_POSITIONS: positions ? 1 : 0,
      },
    },
    bindings: [read(x), read(cos), read(sin), read(positions ?? cos), write(result)],
    uniforms: [N, T],
    grid: foldGrid(Math.ceil((N * heads * HALF) / WORKGROUP)),
  });
  return result;
}
