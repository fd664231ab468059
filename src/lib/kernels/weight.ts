/**
 * A matrix of a linear layer as it lies in GPU memory: its storage type and its orientation.
 * Nothing is converted: 16-bit weights stay in the words they were published in.
 */
import type { DType, Tensor } from '../gpu';
import { KernelError } from './errors';
import WEIGHT_BF16 from './weight-bf16.wgsl?raw';
import WEIGHT_F16 from './weight-f16.wgsl?raw';
import WEIGHT_F32 from './weight-f32.wgsl?raw';

export interface WeightMatrix {
  readonly tensor: Tensor;
  /** 'out-in': (out, in) as PyTorch stores; 'in-out': (in, out) as ONNX MatMul wants. */
  readonly layout: 'out-in' | 'in-out';
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Products with it round both operands to 16 bits, see MatmulArgs. */
  readonly fp16?: boolean;
}

/** Storage types a right-hand matrix may have. */
export type WeightDType = 'f32' | 'f16' | 'bf16';

const PRELUDE: Readonly<Record<WeightDType, string>> = {
  f32: WEIGHT_F32,
  f16: WEIGHT_F16,
  bf16: WEIGHT_BF16,
};

/** WGSL that declares `WeightWord`, `weightPlace(index)` and `weightValue(word, index)`. */
export function weightPrelude(dtype: WeightDType): string {
  return PRELUDE[dtype];
}

/** The same as `BiasWord`, `biasPlace` and `biasValue`: a bias may be stored otherwise than its weight. */
export function biasPrelude(dtype: WeightDType): string {
  return PRELUDE[dtype].replaceAll('Weight', 'Bias').replaceAll('weight', 'bias');
}

export function isWeightDType(dtype: DType): dtype is WeightDType {
  return dtype === 'f32' || dtype === 'f16' || dtype === 'bf16';
}

/** @throws KernelError `shape`, `dtype` when the tensor is not the matrix that its fields say */
export function checkWeight(label: string, weight: WeightMatrix): void {
  const { tensor, layout, inFeatures, outFeatures } = weight;
  if (!isWeightDType(tensor.dtype))
    throw new KernelError(
      'dtype',
      `${label}: weight ${tensor.label} is ${tensor.dtype}, allowed are f32, f16 and bf16.`,
    );
  const expected = layout === 'out-in' ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
  if (tensor.shape.length !== 2 || tensor.shape.some((size, axis) => size !== expected[axis]))
    throw new KernelError(
      'shape',
      `${label}: weight ${tensor.label} has shape [${tensor.shape}], its layout ${layout} asks for [${expected}].`,
    );
}
