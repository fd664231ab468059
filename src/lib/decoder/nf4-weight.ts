/**
 * A linear layer's weight in 4 bits on the GPU: QLoRA's frozen base. The 8-bit form of the magnitudes is undone
 * before they are uploaded: it saves 0.4 bits a weight where it is stored, but here it would be undone in every
 * pass, and ONNX Runtime's MatMulBnb4 reads f32.
 */
import { dequantizeNf4, nestAbsmax, quantizeNf4, restoreAbsmax } from '../formats';
import type { Gpu, Tensor } from '../gpu';
import type { Nf4Matrix } from '../kernels/expand-nf4';

/** Where the magnitudes lie beside a weight's codes: bitsandbytes' name in a quantised checkpoint. */
export const absmaxName = (name: string) => `${name}.absmax`;

/** Quantises to NF4 with double quantisation, as bitsandbytes' `load_in_4bit` with `bnb_4bit_use_double_quant`. */
export function uploadNf4(
  gpu: Gpu,
  name: string,
  floats: Float32Array,
): { packed: Tensor; absmax: Tensor } {
  const { packed, absmax } = quantizeNf4(floats);
  const restored = restoreAbsmax(nestAbsmax(absmax));
  return {
    packed: gpu.createTensor(name, [Math.ceil(packed.length / 4)], 'u32', packed),
    absmax: gpu.createTensor(absmaxName(name), [restored.length], 'f32', restored),
  };
}

/** The values that the codes stand for. */
export async function readNf4(gpu: Gpu, weight: Nf4Matrix): Promise<Float32Array> {
  const packed = new Uint8Array(await gpu.readBytes(weight.packed));
  const absmax = new Float32Array(await gpu.readBytes(weight.absmax));
  return dequantizeNf4({ packed, absmax }, weight.outFeatures * weight.inFeatures);
}
