/**
 * Uniform noise for NEFTune (Jain and others 2023, arXiv 2310.05914), drawn from a counter like the masks of
 * dropout.ts: never stored beyond its plan, the same again in a resumed run.
 */
import { read, write, type PlanBuilder, type Tensor } from '../gpu';
import { foldGrid, requireElements, requireTensor } from './add-elementwise';
import NOISE_WGSL from './noise.wgsl?raw';
import { ELEMENTS_PER_HASH, pcg4d, PCG4D_PRELUDE } from './pcg4d';
import { STEP_STATE_PRELUDE, STEP_STATE_WORDS } from './step-state';

const WORKGROUP = 64;

/** Fourth word of the hash's key. "neft" in ASCII. */
const DOMAIN = 0x6e656674;

export interface NoiseOptions {
  label: string;
  shape: readonly number[];
  /** StepState: dropoutSeed, noiseScale */
  step: Tensor;
}

/** @returns noise in [-noiseScale, noiseScale), of the shape asked for. @throws KernelError */
export function uniformNoise(plan: PlanBuilder, { label, shape, step }: NoiseOptions): Tensor {
  const where = `${label} (noise)`;
  requireTensor(where, 'step', step, [STEP_STATE_WORDS], ['u32']);
  const out = plan.tensor(`${label}/noise`, shape);
  const count = requireElements(where, 'out', out);
  plan.dispatch({
    label,
    kernel: {
      name: 'noise',
      wgsl: `const DOMAIN = ${DOMAIN}u;\n${STEP_STATE_PRELUDE}${PCG4D_PRELUDE}${NOISE_WGSL}`,
    },
    bindings: [read(step), write(out)],
    uniforms: [count],
    grid: foldGrid(Math.ceil(count / ELEMENTS_PER_HASH / WORKGROUP)),
  });
  return out;
}

/** What `uniformNoise` draws, on the CPU: equal bit for bit. */
export function uniformNoiseValues(seed: number, count: number, scale: number): Float32Array {
  const values = new Float32Array(count);
  const factor = Math.fround(scale);
  for (let block = 0; block * ELEMENTS_PER_HASH < count; block++)
    pcg4d(block, 0, seed, DOMAIN).forEach((word, i) => {
      const index = block * ELEMENTS_PER_HASH + i;
      if (index < count) values[index] = factor * ((word >>> 8) * 2 ** -23 - 1);
    });
  return values;
}
