/**
 * One AdamW step (Loshchilov and Hutter 2019) over flat parameters, in the order of operations of
 * `torch.optim.adamw._single_tensor_adamw`; clipping as `torch.nn.utils.clip_grad_norm_`.
 */
import { read, update, type PlanBuilder, type Tensor } from '../gpu';
import {
  floatBits,
  foldGrid,
  packPrelude,
  packWidth,
  requireCount,
  requireElements,
  requireTensor,
} from './add-elementwise';
import ADAMW_WGSL from './adamw.wgsl?raw';
import { KernelError } from './errors';
import { STEP_STATE_PRELUDE, STEP_STATE_WORDS } from './step-state';

const WORKGROUP = 64;

export interface AdamwOptions {
  label: string;
  /** (P), updated */
  params: Tensor;
  /** (P), before clipping, with their scale */
  grads: Tensor;
  /** (P), first moment, updated; zeros before the first step. Of another length with `momentOffset`. */
  m: Tensor;
  /** As m, second moment */
  v: Tensor;
  /** (1), the global norm of all gradients */
  norm: Tensor;
  /** StepState: learningRate, biasCorrection1, biasCorrection2, gradUnscale */
  step: Tensor;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** 0 or less turns clipping off. */
  maxGradNorm: number;
  /** Elements of a parameter group; all of them when left out. */
  range?: { offset: number; count: number };
  /** Element of m and v that belongs to the first of `range`; that of the parameters when left out. */
  momentOffset?: number;
  /** Weight decay after the step, as bitsandbytes has it, instead of before, as torch. */
  decaysLast?: boolean;
  /** Factor of the step's learning rate for this group, 1 when left out. */
  learningRateScale?: number;
}

/** @throws KernelError */
export function adamw(plan: PlanBuilder, options: AdamwOptions): void {
  const { label, params, grads, m, v, norm, step } = options;
  const where = `${label} (adamw)`;
  const P = requireElements(where, 'params', params);
  const M = options.momentOffset === undefined ? P : requireElements(where, 'm', m);
  for (const [name, tensor] of Object.entries({ params, grads }))
    requireTensor(where, name, tensor, [P]);
  for (const [name, tensor] of Object.entries({ m, v })) requireTensor(where, name, tensor, [M]);
  requireTensor(where, 'norm', norm, [1]);
  requireTensor(where, 'step', step, [STEP_STATE_WORDS], ['u32']);
  const { offset, count } = options.range ?? { offset: 0, count: P };
  requireCount(where, 'range.offset', offset, 0);
  requireCount(where, 'range.count', count);
  if (offset + count > P)
    throw new KernelError(
      'shape',
      `${where}: range ends at ${offset + count}, params (${params.label}) has ${P} elements.`,
    );
  const momentOffset = options.momentOffset ?? offset;
  requireCount(where, 'momentOffset', momentOffset, 0);
  if (momentOffset + count > M)
    throw new KernelError(
      'shape',
      `${where}: moments end at ${momentOffset + count}, m (${m.label}) has ${M} elements.`,
    );
  const width = packWidth(P, offset, count, momentOffset, M);
  plan.dispatch({
    label,
    kernel: { name: 'adamw', wgsl: packPrelude(width) + STEP_STATE_PRELUDE + ADAMW_WGSL },
    bindings: [read(grads), read(norm), read(step), update(params), update(m), update(v)],
    uniforms: [
      offset / width,
      count / width,
      momentOffset / width,
      options.decaysLast ? 1 : 0,
      floatBits(1 - options.beta1),
      floatBits(options.beta2),
      floatBits(1 - options.beta2),
      floatBits(options.epsilon),
      floatBits(options.weightDecay),
      floatBits(options.maxGradNorm),
      floatBits(options.learningRateScale ?? 1),
    ],
    grid: foldGrid(Math.ceil(count / width / WORKGROUP)),
  });
}
