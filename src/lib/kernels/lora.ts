/**
 * The low-rank path of LoRA: out += scale * (x A^T) B^T, and its gradients. R is the rank.
 * `x` is what the path reads: already dropped out where dropout is on. Source: PEFT `lora/layer.py`.
 */
import type { PlanBuilder, Tensor } from '../gpu';
import { KernelError } from './errors';
import { matmul } from './matmul';

export interface LoraForwardArgs {
  readonly label: string;
  /** (N, in) */
  readonly x: Tensor;
  /** (R, in) */
  readonly a: Tensor;
  /** (out, R) */
  readonly b: Tensor;
  /** alpha / R, or alpha / sqrt(R) with rsLoRA. */
  readonly scale: number;
  /** (N, out), accumulates, or is written when `accumulate` is false. */
  readonly out: Tensor;
  readonly accumulate?: boolean;
}

/** @returns h = x A^T, (N, R): backward needs it */
export function loraForward(plan: PlanBuilder, args: LoraForwardArgs): { h: Tensor } {
  const { label, x, a, b, scale, out } = args;
  checkRank(label, a, b);
  const h = matmul(plan, { label: `${label}/lora_A`, a: x, b: a, transposeB: true });
  matmul(plan, {
    label: `${label}/lora_B`,
    a: h,
    b,
    transposeB: true,
    alpha: scale,
    out,
    accumulate: args.accumulate ?? true,
  });
  return { h };
}

export interface LoraBackwardArgs {
  readonly label: string;
  /** (N, out) */
  readonly dOut: Tensor;
  /** (N, in) */
  readonly x: Tensor;
  /** (N, R), from forward. */
  readonly h: Tensor;
  /** (R, in) */
  readonly a: Tensor;
  /** (out, R) */
  readonly b: Tensor;
  readonly scale: number;
  /** (R, in), accumulates. */
  readonly dA: Tensor;
  /** (out, R), accumulates. */
  readonly dB: Tensor;
  /** (N, in); accumulates, or is written when `accumulate` is false. Left out where nothing below is trained. */
  readonly dX?: Tensor;
  readonly accumulate?: boolean;
}

/** dB += s dOut^T h;  dH = s dOut B;  dA += dH^T x;  dX (+)= dH A. */
export function loraBackward(plan: PlanBuilder, args: LoraBackwardArgs): void {
  const { label, dOut, x, h, a, b, scale, dA, dB, dX } = args;
  checkRank(label, a, b);
  matmul(plan, {
    label: `${label}/dB`,
    a: dOut,
    b: h,
    transposeA: true,
    alpha: scale,
    out: dB,
    accumulate: true,
  });
  const dH = matmul(plan, { label: `${label}/dH`, a: dOut, b, alpha: scale });
  matmul(plan, {
    label: `${label}/dA`,
    a: dH,
    b: x,
    transposeA: true,
    out: dA,
    accumulate: true,
  });
  if (!dX) return;
  matmul(plan, { label: `${label}/dX`, a: dH, b: a, out: dX, accumulate: args.accumulate ?? true });
}

export interface LoraBackwardInputArgs {
  readonly label: string;
  /** (N, out) */
  readonly dOut: Tensor;
  /** (R, in) */
  readonly a: Tensor;
  /** (out, R) */
  readonly b: Tensor;
  readonly scale: number;
  /** (N, in), accumulates. */
  readonly dX: Tensor;
}

/** dX += s dOut B A, for factors that are not trained. */
export function loraBackwardInput(plan: PlanBuilder, args: LoraBackwardInputArgs): void {
  const { label, dOut, a, b, scale, dX } = args;
  checkRank(label, a, b);
  const dH = matmul(plan, { label: `${label}/dH`, a: dOut, b, alpha: scale });
  matmul(plan, { label: `${label}/dX`, a: dH, b: a, out: dX, accumulate: true });
}

function checkRank(label: string, a: Tensor, b: Tensor): void {
  if (a.shape.length !== 2 || b.shape.length !== 2 || a.shape[0] !== b.shape[1])
    throw new KernelError(
      'shape',
      `${label}: lora_A (${a.label}) has shape [${a.shape}] and lora_B (${b.label}) [${b.shape}]; (R, in) and (out, R) are needed.`,
    );
}
