/**
 * Inverted dropout. The mask is a pure function of (seed, site, element index), never stored: the same
 * call on a gradient is its backward, and a resumed run draws the same masks.
 */
import { read, update, write, type PlanBuilder, type Tensor } from '../gpu';
import {
  floatBits,
  foldGrid,
  packPrelude,
  packWidth,
  requireCount,
  requireElements,
  requireTensor,
} from './add-elementwise';
import DROPOUT_WGSL from './dropout.wgsl?raw';
import { KernelError } from './errors';
import { ELEMENTS_PER_HASH, pcg4d, PCG4D_PRELUDE } from './pcg4d';
import { STEP_STATE_PRELUDE, STEP_STATE_WORDS } from './step-state';

const WORKGROUP = 64;

/** Fourth word of the hash's key, so that other uses of the hash draw other numbers. "drop" in ASCII. */
const DOMAIN = 0x64726f70;

export interface DropoutOptions {
  label: string;
  /** Any shape: an activation, or its gradient for the backward. */
  x: Tensor;
  /** StepState: dropoutSeed */
  step: Tensor;
  /** Which dropout of the model this is, a u32; forward and backward of one dropout share it. */
  site: number;
  /** Of dropping an element, 0 <= probability < 1. */
  probability: number;
  /** Written or added to; a tensor of the plan when left out. */
  out?: Tensor;
  /** out += instead of out =; needs `out`. */
  accumulate?: boolean;
}

/** @returns x * mask / (1 - probability), of the shape of x. @throws KernelError */
export function dropout(plan: PlanBuilder, options: DropoutOptions): Tensor {
  const { label, x, step, site, probability, out } = options;
  const where = `${label} (dropout)`;
  const count = requireElements(where, 'x', x);
  requireTensor(where, 'x', x, x.shape);
  requireTensor(where, 'step', step, [STEP_STATE_WORDS], ['u32']);
  requireCount(where, 'site', site, 0);
  if (!(probability >= 0 && probability < 1))
    throw new KernelError(
      'shape',
      `${where}: probability is ${probability}, at least 0 and less than 1 is needed.`,
    );
  if (out) requireTensor(where, 'out', out, x.shape);
  const accumulate = options.accumulate ?? false;
  if (accumulate && !out)
    throw new KernelError('shape', `${where}: accumulate needs an out to add to.`);
  const result = out ?? plan.tensor(`${label}/out`, x.shape);
  const width = packWidth(count);
  plan.dispatch({
    label,
    kernel: {
      name: 'dropout',
      wgsl:
        packPrelude(width) +
        (width === 4
          ? 'fn maskPack(mask: vec4<f32>, i: u32) -> Pack { return mask; }\n'
          : 'fn maskPack(mask: vec4<f32>, i: u32) -> Pack { return mask[i]; }\n') +
        `const DOMAIN = ${DOMAIN}u;\n` +
        STEP_STATE_PRELUDE +
        PCG4D_PRELUDE +
        DROPOUT_WGSL,
      constants: { ACCUMULATE: accumulate ? 1 : 0 },
    },
    bindings: [read(x), read(step), accumulate ? update(result) : write(result)],
    uniforms: [count, site, thresholdOf(probability), floatBits(1 / (1 - probability))],
    grid: foldGrid(Math.ceil(count / ELEMENTS_PER_HASH / WORKGROUP)),
  });
  return result;
}

/**
 * What `dropout` multiplies by, computed on the CPU: equal bit for bit to the kernel.
 * @returns 0 or 1 / (1 - probability) for each of `count` elements
 */
export function dropoutMask(
  seed: number,
  site: number,
  count: number,
  probability: number,
): Float32Array {
  const threshold = thresholdOf(probability);
  const mask = new Float32Array(count);
  const scale = 1 / (1 - probability);
  for (let block = 0; block * ELEMENTS_PER_HASH < count; block++) {
    const random = pcg4d(block, site, seed, DOMAIN);
    for (let i = 0; i < ELEMENTS_PER_HASH; i++) {
      const index = block * ELEMENTS_PER_HASH + i;
      if (index < count) mask[index] = random[i] >= threshold ? scale : 0;
    }
  }
  return mask;
}

function thresholdOf(probability: number): number {
  return Math.floor(probability * 2 ** 32);
}
