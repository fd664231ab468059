/** What a kernel binds: a named, shaped range of GPU memory. Data moves only through `Gpu`. */

/** Element types in storage. 16-bit types are stored as packed pairs in u32 words, so no shader-f16 is needed. */
export type DType = 'f32' | 'f16' | 'bf16' | 'u32' | 'i32';

export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  u32: 4,
  i32: 4,
};

export interface Tensor {
  readonly label: string;
  readonly dtype: DType;
  /** Row-major, outermost first. */
  readonly shape: readonly number[];
  /** Bytes of the elements, rounded up to a multiple of 4. */
  readonly sizeBytes: number;
  /** Where the data lives; undefined for a plan's own tensors until the plan is built. */
  readonly memory: GpuMemory | undefined;
}

export interface GpuMemory {
  readonly buffer: GPUBuffer;
  /** Multiple of the device's minStorageBufferOffsetAlignment (256 is always enough). */
  readonly offset: number;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function tensorBytes(shape: readonly number[], dtype: DType): number {
  return Math.ceil((elementCount(shape) * BYTES_PER_ELEMENT[dtype]) / 4) * 4;
}

/** A tensor over memory that the caller owns (weights, parameters, inputs). */
export function tensorOver(
  label: string,
  shape: readonly number[],
  dtype: DType,
  buffer: GPUBuffer,
  offset = 0,
): Tensor {
  return { label, dtype, shape, sizeBytes: tensorBytes(shape, dtype), memory: { buffer, offset } };
}

/** The same memory under another shape of equally many elements. */
export function reshaped(tensor: Tensor, shape: readonly number[]): Tensor {
  if (elementCount(shape) !== elementCount(tensor.shape))
    throw new RangeError(
      `${tensor.label}: shape [${tensor.shape}] cannot be read as [${shape}]: the number of elements differs`,
    );
  return new ReshapedTensor(tensor, shape);
}

/** Keeps the identity of the tensor it views, so that lifetimes are counted on the original. */
export class ReshapedTensor implements Tensor {
  constructor(
    readonly base: Tensor,
    readonly shape: readonly number[],
  ) {}
  get label() {
    return this.base.label;
  }
  get dtype() {
    return this.base.dtype;
  }
  get sizeBytes() {
    return this.base.sizeBytes;
  }
  get memory() {
    return this.base.memory;
  }
}

/** The tensor whose lifetime counts: the original under any number of reshapes. */
export function rootOf(tensor: Tensor): Tensor {
  return tensor instanceof ReshapedTensor ? rootOf(tensor.base) : tensor;
}
