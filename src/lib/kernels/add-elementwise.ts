/**
 * What the kernels of one thread an element share: checks of operands, the width of a load, and
 * grids of any size. Knows no op.
 */
import { elementCount, type DType, type Tensor } from '../gpu';
import { KernelError } from './errors';

/** WebGPU's guaranteed number of workgroups in one dimension of a grid. */
const GRID_LIMIT = 65535;

/**
 * @param where the label and the kernel's name, as in `/model/norm (rms-norm)`
 * @param name the parameter's name in the function's signature
 * @throws KernelError `shape`, `dtype`
 */
export function requireTensor(
  where: string,
  name: string,
  tensor: Tensor,
  shape: readonly number[],
  dtypes: readonly DType[] = ['f32'],
): void {
  const fits =
    tensor.shape.length === shape.length && shape.every((size, i) => tensor.shape[i] === size);
  if (!fits)
    throw new KernelError(
      'shape',
      `${where}: ${name} (${tensor.label}) has shape [${tensor.shape.join(', ')}], [${shape.join(', ')}] is needed.`,
      { details: { where, name } },
    );
  if (!dtypes.includes(tensor.dtype))
    throw new KernelError(
      'dtype',
      `${where}: ${name} (${tensor.label}) is ${tensor.dtype}, ${dtypes.join(' or ')} is needed.`,
      { details: { where, name } },
    );
}

/** @throws KernelError `shape` when the tensor is no matrix */
export function matrixShape(where: string, name: string, tensor: Tensor): [number, number] {
  if (tensor.shape.length !== 2)
    throw new KernelError(
      'shape',
      `${where}: ${name} (${tensor.label}) has shape [${tensor.shape.join(', ')}], a matrix is needed.`,
      { details: { where, name } },
    );
  return [tensor.shape[0], tensor.shape[1]];
}

/** @throws KernelError `shape` unless value is a whole number of at least `least` */
export function requireCount(where: string, name: string, value: number, least = 1): void {
  if (!Number.isInteger(value) || value < least)
    throw new KernelError(
      'shape',
      `${where}: ${name} is ${value}, a whole number of at least ${least} is needed.`,
      { details: { where, name } },
    );
}

/** @throws KernelError `shape` when a function is given no elements at all */
export function requireElements(where: string, name: string, tensor: Tensor): number {
  const count = elementCount(tensor.shape);
  requireCount(where, `the number of elements of ${name} (${tensor.label})`, count);
  return count;
}

/** Elements that one load moves: 4 where every given width is a multiple of 4, else 1. */
export function packWidth(...widths: number[]): 1 | 4 {
  return widths.every((width) => width % 4 === 0) ? 4 : 1;
}

/** `Pack`, `PACK` and `sumOf`, to be put before a kernel's text. */
export function packPrelude(width: 1 | 4): string {
  return width === 4
    ? 'alias Pack = vec4<f32>;\nalias PackBits = vec4<u32>;\nconst PACK = 4u;\nfn sumOf(p: Pack) -> f32 { return dot(p, Pack(1.0)); }\n'
    : 'alias Pack = f32;\nalias PackBits = u32;\nconst PACK = 1u;\nfn sumOf(p: Pack) -> f32 { return p; }\n';
}

/** A grid of at least `workgroups`; the kernel takes `id.y * groups.x + id.x` and stops at its own count. */
export function foldGrid(workgroups: number): [number, number] {
  if (workgroups <= GRID_LIMIT) return [workgroups, 1];
  const rows = Math.ceil(workgroups / GRID_LIMIT);
  return [Math.ceil(workgroups / rows), rows];
}

const words = new DataView(new ArrayBuffer(4));

/** The bits of a 32-bit float, for a uniform field that the kernel casts back. */
export function floatBits(value: number): number {
  words.setFloat32(0, value);
  return words.getUint32(0);
}
