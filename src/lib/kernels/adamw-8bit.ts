/**
 * One AdamW step with moments of 8 bits (Dettmers and others 2021, arXiv 2110.02861) in the arithmetic of
 * bitsandbytes: blocks of 256 elements, each with its largest magnitude, values written to the nearest of 256
 * codes. The parameters themselves stay in f32.
 */
import { dynamicMap } from '../formats';
import { read, update, type Gpu, type PlanBuilder, type Tensor } from '../gpu';
import {
  floatBits,
  foldGrid,
  requireCount,
  requireElements,
  requireTensor,
} from './add-elementwise';
import ADAMW_8BIT_WGSL from './adamw-8bit.wgsl?raw';
import { KernelError } from './errors';
import { STEP_STATE_PRELUDE, STEP_STATE_WORDS } from './step-state';

/** Elements of a block, and words of its codes. */
export const BLOCK_ELEMENTS = 256;
const BLOCK_WORDS = BLOCK_ELEMENTS / 4;

const LANES = 64;

/** Codes of 0 in the signed map, that m is written in, and in the unsigned one of v. */
export const ZERO_CODES = { m: 127, v: 0 };

/** A stretch of the flat parameters that is one block: 1 to 256 elements. */
export interface Block {
  readonly offset: number;
  readonly count: number;
}

/** Cuts a parameter into blocks, the last of which may be short. */
export function blocksOf({ offset, count }: Block): Block[] {
  return Array.from({ length: Math.ceil(count / BLOCK_ELEMENTS) }, (_, i) => ({
    offset: offset + i * BLOCK_ELEMENTS,
    count: Math.min(BLOCK_ELEMENTS, count - i * BLOCK_ELEMENTS),
  }));
}

/** S blocks on the GPU. Each block has 256 codes, whether it is full or not. */
export interface BlockTensors {
  /** (512) f32: the signed map, then the unsigned one. */
  readonly maps: Tensor;
  /** (S, 2) u32: first element and number of elements. */
  readonly blocks: Tensor;
  /** (2, S, 64) u32, four codes a word: m, then v. */
  readonly codes: Tensor;
  /** (2, S) f32: m, then v. */
  readonly absmax: Tensor;
}

/** Tensors for moments of zero. */
export function createBlockTensors(gpu: Gpu, blocks: readonly Block[]): BlockTensors {
  const S = blocks.length;
  const maps = new Float32Array(2 * 256);
  maps.set(dynamicMap(true));
  maps.set(dynamicMap(false), 256);
  const codes = new Uint8Array(2 * S * BLOCK_ELEMENTS);
  codes.fill(ZERO_CODES.m, 0, S * BLOCK_ELEMENTS);
  const table = Uint32Array.from(blocks.flatMap(({ offset, count }) => [offset, count]));
  return {
    maps: gpu.createTensor('dynamic maps', [2 * 256], 'f32', maps),
    blocks: gpu.createTensor('moment blocks', [S, 2], 'u32', table),
    codes: gpu.createTensor('moment codes', [2, S, BLOCK_WORDS], 'u32', codes),
    absmax: gpu.createTensor('moment absmax', [2, S]),
  };
}

export interface Adamw8bitOptions extends BlockTensors {
  label: string;
  /** (P), updated */
  params: Tensor;
  /** (P), before clipping, with their scale */
  grads: Tensor;
  /** (1), the global norm of all gradients */
  norm: Tensor;
  /** StepState: learningRate, biasCorrection1, biasCorrection2, gradUnscale */
  step: Tensor;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Comes after the step, as in bitsandbytes; torch's comes before. */
  weightDecay: number;
  /** 0 or less turns clipping off. */
  maxGradNorm: number;
  /** Blocks of a parameter group; all of them when left out. */
  range?: { first: number; count: number };
  /** Factor of the step's learning rate for this group, 1 when left out. */
  learningRateScale?: number;
}

/** @throws KernelError */
export function adamw8bit(plan: PlanBuilder, options: Adamw8bitOptions): void {
  const { label, params, grads, norm, step, maps, blocks, codes, absmax } = options;
  const where = `${label} (adamw-8bit)`;
  const P = requireElements(where, 'params', params);
  requireTensor(where, 'params', params, [P]);
  requireTensor(where, 'grads', grads, [P]);
  requireTensor(where, 'norm', norm, [1]);
  requireTensor(where, 'step', step, [STEP_STATE_WORDS], ['u32']);
  requireTensor(where, 'maps', maps, [2 * 256]);
  const S = requireElements(where, 'blocks', blocks) / 2;
  requireTensor(where, 'blocks', blocks, [S, 2], ['u32']);
  requireTensor(where, 'codes', codes, [2, S, BLOCK_WORDS], ['u32']);
  requireTensor(where, 'absmax', absmax, [2, S]);
  const { first, count } = options.range ?? { first: 0, count: S };
  requireCount(where, 'range.first', first, 0);
  requireCount(where, 'range.count', count);
  if (first + count > S)
    throw new KernelError(
      'shape',
      `${where}: range ends at ${first + count}, there are ${S} blocks.`,
    );
  plan.dispatch({
    label,
    kernel: { name: 'adamw-8bit', wgsl: STEP_STATE_PRELUDE + ADAMW_8BIT_WGSL },
    bindings: [
      ...[grads, norm, step, maps, blocks].map(read),
      ...[params, codes, absmax].map(update),
    ],
    uniforms: [
      first,
      count,
      S,
      floatBits(options.beta1),
      floatBits(options.beta2),
      floatBits(options.epsilon),
      floatBits(options.weightDecay),
      floatBits(options.maxGradNorm),
      floatBits(options.learningRateScale ?? 1),
      LANES / 2,
    ],
    grid: foldGrid(count),
  });
}
