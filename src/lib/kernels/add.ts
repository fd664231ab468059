/** Elementwise sums: a + b into a new tensor, or one tensor added to another (residuals, gradients). */
import { read, update, write, type PlanBuilder, type Tensor } from '../gpu';
import ADD_WGSL from './add.wgsl?raw';
import {
  foldGrid,
  packPrelude,
  packWidth,
  requireElements,
  requireTensor,
} from './add-elementwise';

const WORKGROUP = 64;

export interface AddOptions {
  label: string;
  a: Tensor;
  b: Tensor;
  /** Written; must be other memory than `a` and `b` (that is `addInto`). A tensor of the plan when left out. */
  out?: Tensor;
}

/** out = a + b, all of one shape. @throws KernelError */
export function addForward(plan: PlanBuilder, { label, a, b, out }: AddOptions): Tensor {
  const where = `${label} (add)`;
  const count = requireElements(where, 'a', a);
  requireTensor(where, 'a', a, a.shape);
  requireTensor(where, 'b', b, a.shape);
  if (out) requireTensor(where, 'out', out, a.shape);
  const result = out ?? plan.tensor(`${label}/out`, a.shape);
  const width = packWidth(count);
  plan.dispatch({
    label,
    kernel: { name: 'add', wgsl: packPrelude(width) + ADD_WGSL, entryPoint: 'add' },
    bindings: [read(a), read(b), write(result)],
    uniforms: [count / width],
    grid: foldGrid(Math.ceil(count / width / WORKGROUP)),
  });
  return result;
}

/** into += from, of one shape. @throws KernelError */
export function addInto(
  plan: PlanBuilder,
  { label, from, into }: { label: string; from: Tensor; into: Tensor },
): void {
  const where = `${label} (add)`;
  const count = requireElements(where, 'into', into);
  requireTensor(where, 'into', into, into.shape);
  requireTensor(where, 'from', from, into.shape);
  const width = packWidth(count);
  plan.dispatch({
    label,
    kernel: { name: 'add', wgsl: packPrelude(width) + ADD_WGSL, entryPoint: 'addInto' },
    bindings: [read(from), update(into)],
    uniforms: [count / width],
    grid: foldGrid(Math.ceil(count / width / WORKGROUP)),
  });
}
