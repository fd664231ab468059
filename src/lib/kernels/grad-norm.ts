/** The global L2 norm of all gradients, which lie flat in one tensor; what clipping and the log need. */
import { read, write, type PlanBuilder, type Tensor } from '../gpu';
import { packPrelude, packWidth, requireElements, requireTensor } from './add-elementwise';
import GRAD_NORM_WGSL from './grad-norm.wgsl?raw';
import { STEP_STATE_PRELUDE, STEP_STATE_WORDS } from './step-state';

/** Elements that one workgroup sums at least, and the most workgroups that share the work. */
const ELEMENTS_PER_WORKGROUP = 4096;
const MAX_WORKGROUPS = 1024;

/**
 * @param options.grads (P) f32
 * @param options.step StepState: gradUnscale
 * @returns the norm of the gradients as they are without their scale, (1)
 * @throws KernelError
 */
export function gradNorm(
  plan: PlanBuilder,
  { label, grads, step }: { label: string; grads: Tensor; step: Tensor },
): Tensor {
  const where = `${label} (grad-norm)`;
  const P = requireElements(where, 'grads', grads);
  requireTensor(where, 'grads', grads, [P]);
  requireTensor(where, 'step', step, [STEP_STATE_WORDS], ['u32']);
  const width = packWidth(P);
  const wgsl = packPrelude(width) + STEP_STATE_PRELUDE + GRAD_NORM_WGSL;
  const S = Math.min(MAX_WORKGROUPS, Math.ceil(P / ELEMENTS_PER_WORKGROUP));
  const sums = plan.tensor(`${label}/sums of squares`, [S]);
  const norm = plan.tensor(`${label}/norm`, [1]);
  plan.dispatch({
    label,
    kernel: { name: 'grad-norm', wgsl, entryPoint: 'sumSquares' },
    bindings: [read(grads), write(sums)],
    uniforms: [P / width],
    grid: [S],
  });
  plan.dispatch({
    label,
    kernel: { name: 'grad-norm', wgsl, entryPoint: 'rootOfSum' },
    bindings: [read(sums), write(norm), read(step)],
    uniforms: [S],
    grid: [1],
  });
  return norm;
}
