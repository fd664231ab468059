/**
 * Rows of a table looked up by id, and the gradient of the table. Ids are not validated here:
 * one outside the table reads row 0, and its gradient goes there too.
 */
import { read, update, write, type PlanBuilder, type Tensor } from '../gpu';
import {
  foldGrid,
  matrixShape,
  packPrelude,
  packWidth,
  requireCount,
  requireElements,
  requireTensor,
} from './add-elementwise';
import { WEIGHT_DTYPES, weightPrelude } from './embedding-weights';
import EMBEDDING_WGSL from './embedding.wgsl?raw';

const WORKGROUP = 64;

export interface EmbeddingOptions {
  label: string;
  /** (N) i32 */
  ids: Tensor;
  /** (V, C), f32, f16 or bf16 */
  weight: Tensor;
  C: number;
  V: number;
}

/** @returns (N, C) f32. @throws KernelError */
export function embeddingForward(
  plan: PlanBuilder,
  { label, ids, weight, C, V }: EmbeddingOptions,
): Tensor {
  const where = `${label} (embedding)`;
  requireCount(where, 'C', C);
  requireCount(where, 'V', V);
  requireTensor(where, 'weight', weight, [V, C], WEIGHT_DTYPES);
  const N = requireElements(where, 'ids', ids);
  requireTensor(where, 'ids', ids, [N], ['i32']);
  const out = plan.tensor(`${label}/out`, [N, C]);
  const width = packWidth(C);
  plan.dispatch({
    label,
    kernel: {
      name: 'embedding',
      wgsl: packPrelude(width) + weightPrelude(weight.dtype, width) + EMBEDDING_WGSL,
      entryPoint: 'forward',
      constants: { V, C, PADDING: V },
    },
    bindings: [read(ids), read(weight), write(out)],
    uniforms: [N],
    grid: foldGrid(Math.ceil((N * C) / width / WORKGROUP)),
  });
  return out;
}

export interface EmbeddingBackwardOptions {
  label: string;
  /** (N) i32 */
  ids: Tensor;
  /** (N, C) */
  dOut: Tensor;
  /** (V, C) f32, accumulates */
  dWeight: Tensor;
  /** Gets no gradient: torch.nn.Embedding's `padding_idx`. */
  paddingId?: number;
}

/** Adds dOut's rows to the rows of dWeight that their ids name, in the order of rows. @throws KernelError */
export function embeddingBackward(
  plan: PlanBuilder,
  { label, ids, dOut, dWeight, paddingId }: EmbeddingBackwardOptions,
): void {
  const where = `${label} (embedding)`;
  const [V, C] = matrixShape(where, 'dWeight', dWeight);
  const N = requireElements(where, 'ids', ids);
  requireTensor(where, 'ids', ids, [N], ['i32']);
  requireTensor(where, 'dOut', dOut, [N, C]);
  requireTensor(where, 'dWeight', dWeight, [V, C]);
  const width = packWidth(C);
  const links = plan.tensor(`${label}/links`, [N], 'u32');
  const kernel = {
    name: 'embedding',
    wgsl: packPrelude(width) + weightPrelude('f32', width) + EMBEDDING_WGSL,
    constants: { V, C, PADDING: paddingId ?? V },
  };
  plan.dispatch({
    label: `${label} backward`,
    kernel: { ...kernel, entryPoint: 'link' },
    bindings: [read(ids), write(links)],
    uniforms: [N],
    grid: foldGrid(Math.ceil(N / WORKGROUP)),
  });
  plan.dispatch({
    label: `${label} backward`,
    kernel: { ...kernel, entryPoint: 'backward' },
    bindings: [read(ids), read(links), read(dOut), update(dWeight)],
    uniforms: [N],
    grid: foldGrid(Math.ceil((N * C) / width / WORKGROUP)),
  });
}
