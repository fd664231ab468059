/** The gated unit of a feed-forward block: silu(gate) * up, and its two gradients. */
import { read, write, type PlanBuilder, type Tensor } from '../gpu';
import {
  foldGrid,
  packPrelude,
  packWidth,
  requireElements,
  requireTensor,
} from './add-elementwise';
import SWIGLU_WGSL from './swiglu.wgsl?raw';

const WORKGROUP = 64;

export interface SwigluOptions {
  label: string;
  /** (N, F) */
  gate: Tensor;
  /** (N, F) */
  up: Tensor;
}

/** @returns (N, F). @throws KernelError */
export function swigluForward(plan: PlanBuilder, { label, gate, up }: SwigluOptions): Tensor {
  const { count, width } = check(label, gate, up);
  const out = plan.tensor(`${label}/out`, gate.shape);
  plan.dispatch({
    label,
    kernel: { name: 'swiglu', wgsl: packPrelude(width) + SWIGLU_WGSL, entryPoint: 'forward' },
    bindings: [read(gate), read(up), write(out)],
    uniforms: [count / width],
    grid: foldGrid(Math.ceil(count / width / WORKGROUP)),
  });
  return out;
}

/** @returns gradients of gate and up, (N, F) each. @throws KernelError */
export function swigluBackward(
  plan: PlanBuilder,
  { label, dOut, gate, up }: SwigluOptions & { dOut: Tensor },
): { dGate: Tensor; dUp: Tensor } {
  const { count, width } = check(label, gate, up);
  requireTensor(`${label} (swiglu)`, 'dOut', dOut, gate.shape);
  const dGate = plan.tensor(`${label}/dGate`, gate.shape);
  const dUp = plan.tensor(`${label}/dUp`, gate.shape);
  plan.dispatch({
    label: `${label} backward`,
    kernel: { name: 'swiglu', wgsl: packPrelude(width) + SWIGLU_WGSL, entryPoint: 'backward' },
    bindings: [read(gate), read(up), read(dOut), write(dGate), write(dUp)],
    uniforms: [count / width],
    grid: foldGrid(Math.ceil(count / width / WORKGROUP)),
  });
  return { dGate, dUp };
}

function check(label: string, gate: Tensor, up: Tensor) {
  const where = `${label} (swiglu)`;
  const count = requireElements(where, 'gate', gate);
  requireTensor(where, 'gate', gate, gate.shape);
  requireTensor(where, 'up', up, gate.shape);
  return { count, width: packWidth(count) };
}
