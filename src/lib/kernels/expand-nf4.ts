/**
 * A weight in 4 bits (NF4, arXiv 2305.14314) becomes f32 for the products that read it next. A plan's own memory
 * serves one layer after another, and a product of many rows runs as fast as over f32: each of its tiles would
 * otherwise expand the same codes again.
 */
import { NF4_BLOCK, NF4_CODES } from '../formats/nf4';
import { elementCount, read, write, type PlanBuilder, type Tensor } from '../gpu';
import { floatBits, foldGrid, packPrelude, packWidth, requireTensor } from './add-elementwise';
import EXPAND_NF4_WGSL from './expand-nf4.wgsl?raw';

const WORKGROUP = 64;
const CODES_A_WORD = 8;
const VALUES = Array.from(NF4_CODES, floatBits);

/** A matrix (out, in) as bitsandbytes packs it, row after row; ONNX Runtime's MatMulBnb4 reads the same bytes. */
export interface Nf4Matrix {
  /** u32 (ceil(out * in / 8)), the first of two codes in a byte's high nibble. */
  readonly packed: Tensor;
  /** f32 (ceil(out * in / 64)): the largest magnitude of each block. */
  readonly absmax: Tensor;
  readonly inFeatures: number;
  readonly outFeatures: number;
}

/** @returns (out, in) f32, a tensor of the plan. @throws KernelError `shape`, `dtype` */
export function expandNf4(
  plan: PlanBuilder,
  { label, weight }: { label: string; weight: Nf4Matrix },
): Tensor {
  const where = `${label} (expand-nf4)`;
  const { packed, absmax, inFeatures, outFeatures } = weight;
  const out = plan.tensor(`${label}/expanded`, [outFeatures, inFeatures]);
  const count = elementCount(out.shape);
  const words = Math.ceil(count / CODES_A_WORD);
  requireTensor(where, 'packed', packed, [words], ['u32']);
  requireTensor(where, 'absmax', absmax, [Math.ceil(count / NF4_BLOCK)]);
  const width = packWidth(count);
  plan.dispatch({
    label,
    kernel: {
      name: 'expand-nf4',
      wgsl: packPrelude(width) + (width === 4 ? FOUR_CODES : ONE_CODE) + EXPAND_NF4_WGSL,
    },
    bindings: [read(packed), read(absmax), write(out)],
    uniforms: [...VALUES, words, count / width],
    grid: foldGrid(Math.ceil(words / WORKGROUP)),
  });
  return out;
}

const FOUR_CODES = `
fn packOf(word: u32, p: u32) -> Pack {
  let half = word >> (16u * p);
  return Pack(valueOf(half >> 4u), valueOf(half), valueOf(half >> 12u), valueOf(half >> 8u));
}
`;

const ONE_CODE = `
fn packOf(word: u32, p: u32) -> Pack { return valueOf(word >> (4u * (p ^ 1u))); }
`;
