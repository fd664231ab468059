/**
 * The few numbers that change from step to step, in one small buffer that kernels bind as `read`.
 * The layout below equals `struct StepState` in `step-state.wgsl`.
 */
import type { Gpu, Tensor } from '../gpu';
import STEP_STATE_WGSL from './step-state.wgsl?raw';

/** `struct StepState`, to be put before a kernel's text. */
export const STEP_STATE_PRELUDE = STEP_STATE_WGSL;

export interface StepState {
  /** Seed of this micro-batch's dropout masks and noise; the same seed gives the same masks in forward and backward. */
  dropoutSeed: number;
  /** Rows of this micro-batch that have a target, first in the compacted row list. */
  targetCount: number;
  /** 1 / (number of target tokens of the whole accumulated batch), times what keeps gradients in the range of 16 bits. */
  lossScale: number;
  learningRate: number;
  /** 1 / (1 - beta1^t), t = number of optimiser steps done including this one. */
  biasCorrection1: number;
  /** 1 / sqrt(1 - beta2^t). */
  biasCorrection2: number;
  /** Half the width of the noise on the embeddings, see noise.ts; 0 when left out. */
  noiseScale?: number;
  /** What the gradients are to be multiplied by before they are used, a power of two; 1 when left out. */
  gradUnscale?: number;
}

export const STEP_STATE_WORDS = 8;

export function createStepState(gpu: Gpu): Tensor {
  return gpu.createTensor('step state', [STEP_STATE_WORDS], 'u32');
}

export function uploadStepState(gpu: Gpu, tensor: Tensor, state: StepState): void {
  const bytes = new ArrayBuffer(STEP_STATE_WORDS * 4);
  const view = new DataView(bytes);
  view.setUint32(0, state.dropoutSeed, true);
  view.setUint32(4, state.targetCount, true);
  view.setFloat32(8, state.lossScale, true);
  view.setFloat32(12, state.learningRate, true);
  view.setFloat32(16, state.biasCorrection1, true);
  view.setFloat32(20, state.biasCorrection2, true);
  view.setFloat32(24, state.noiseScale ?? 0, true);
  view.setFloat32(28, state.gradUnscale ?? 1, true);
  gpu.upload(tensor, new Uint8Array(bytes));
}
