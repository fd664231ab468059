/**
 * A linear layer's weight in 4 bits on the GPU: QLoRA's frozen base. The 8-bit form of the magnitudes is undone
 * before they are uploaded: it saves 0.4 bits a weight where it is stored, but here it would be undone in every
 * pass, and ONNX Runtime's MatMulBnb4 reads f32.
 */
import { type ModelConfig, linearSites } from '../config';
import {
  dequantizeNf4,
  nestAbsmax,
  NF4_BLOCK,
  quantizeNf4,
  restoreAbsmax,
  tensorToFloat32,
  type Nf4Weights,
} from '../formats';
import type { Gpu, Tensor } from '../gpu';
import type { Nf4Matrix } from '../kernels/expand-nf4';
import type { TensorSource } from './weights';

/** Where the magnitudes lie beside a weight's codes: bitsandbytes' name in a quantised checkpoint. */
export const absmaxName = (name: string) => `${name}.absmax`;

/** Quantises to NF4 with double quantisation, as bitsandbytes' `load_in_4bit` with `bnb_4bit_use_double_quant`. */
export function uploadNf4(
  gpu: Gpu,
  name: string,
  floats: Float32Array,
): { packed: Tensor; absmax: Tensor } {
  const { packed, absmax } = quantizeTwice(floats);
  return {
    packed: gpu.createTensor(name, [Math.ceil(packed.length / 4)], 'u32', packed),
    absmax: gpu.createTensor(absmaxName(name), [absmax.length], 'f32', absmax),
  };
}

/** The buffers of `uploadNf4`, without values. */
export function outlineNf4(
  gpu: Gpu,
  name: string,
  count: number,
): { packed: Tensor; absmax: Tensor } {
  return {
    packed: gpu.createTensor(name, [Math.ceil(count / 8)], 'u32'),
    absmax: gpu.createTensor(absmaxName(name), [Math.ceil(count / NF4_BLOCK)], 'f32'),
  };
}

/** Codes, and the magnitudes as their own 8-bit form gives them back. */
function quantizeTwice(floats: Float32Array): Nf4Weights {
  const { packed, absmax } = quantizeNf4(floats);
  return { packed, absmax: restoreAbsmax(nestAbsmax(absmax)) };
}

/** A checkpoint as a 4-bit base reads it: the very values of `storage: 'nf4'`, in float32. */
export function nf4Source(source: TensorSource, config: ModelConfig): TensorSource {
  const inFourBits = new Set(linearSites(config).map(({ path }) => `${path}.weight`));
  return async (name) => {
    const stored = await source(name);
    if (!stored || !inFourBits.has(name)) return stored;
    const floats = tensorToFloat32(stored.bytes, stored.dtype);
    const values = dequantizeNf4(quantizeTwice(floats), floats.length);
    return {
      dtype: 'F32',
      shape: stored.shape,
      bytes: new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength),
    };
  };
}

/** The values that the codes stand for. */
export async function readNf4(gpu: Gpu, weight: Nf4Matrix): Promise<Float32Array> {
  const packed = new Uint8Array(await gpu.readBytes(weight.packed));
  const absmax = new Float32Array(await gpu.readBytes(weight.absmax));
  return dequantizeNf4({ packed, absmax }, weight.outFeatures * weight.inFeatures);
}
