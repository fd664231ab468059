/**
 * Symmetric 4-bit quantisation as ONNX Runtime's `MatMulNBits` reads it without zero points: blocks of
 * 32 along the input features, value = (code - 8) * scale, the low nibble first.
 */

/** Weights that share a scale. */
export const Q4_BLOCK = 32;
const ZERO_POINT = 8;

export interface Q4Weights {
  /** (outFeatures, blocks, 16) */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** (outFeatures, blocks) */
  readonly scales: Float32Array<ArrayBuffer>;
}

/**
 * A matrix (outFeatures, inFeatures); the last block of a row is filled up with zeros.
 * The value of largest magnitude becomes code 0, exactly -8 scales, as in ONNX Runtime's quantizer.
 */
export function quantizeQ4(
  weight: Float32Array,
  outFeatures: number,
  inFeatures: number,
): Q4Weights {
  const blocks = Math.ceil(inFeatures / Q4_BLOCK);
  const codes = new Uint8Array(outFeatures * blocks * (Q4_BLOCK / 2)).fill(
    ZERO_POINT | (ZERO_POINT << 4),
  );
  const scales = new Float32Array(outFeatures * blocks);
  for (let row = 0; row < outFeatures; row++)
    for (let block = 0; block < blocks; block++) {
      const begin = row * inFeatures + block * Q4_BLOCK;
      const end = Math.min(begin + Q4_BLOCK, (row + 1) * inFeatures);
      const scale = Math.fround(largest(weight, begin, end) / -ZERO_POINT);
      const index = row * blocks + block;
      if (scale === 0) continue;
      scales[index] = scale;
      for (let i = begin; i < end; i++) {
        const code = Math.max(0, Math.min(15, Math.round(weight[i] / scale) + ZERO_POINT));
        const at = index * (Q4_BLOCK / 2) + ((i - begin) >> 1);
        codes[at] =
          (i - begin) % 2 === 0 ? (codes[at] & 0xf0) | code : (codes[at] & 0xf) | (code << 4);
      }
    }
  return { codes, scales };
}

/** The matrix that the codes stand for. */
export function dequantizeQ4({ codes, scales }: Q4Weights, inFeatures: number): Float32Array {
  const blocks = Math.ceil(inFeatures / Q4_BLOCK);
  const outFeatures = scales.length / blocks;
  const weight = new Float32Array(outFeatures * inFeatures);
  for (let row = 0; row < outFeatures; row++)
    for (let column = 0; column < inFeatures; column++) {
      const index = row * blocks + Math.floor(column / Q4_BLOCK);
      const byte = codes[index * (Q4_BLOCK / 2) + ((column % Q4_BLOCK) >> 1)];
      const code = column % 2 === 0 ? byte & 0xf : byte >> 4;
      weight[row * inFeatures + column] = (code - ZERO_POINT) * scales[index];
    }
  return weight;
}

/** The value of largest magnitude, with its sign. */
function largest(values: Float32Array, begin: number, end: number): number {
  let found = 0;
  for (let i = begin; i < end; i++) if (Math.abs(values[i]) > Math.abs(found)) found = values[i];
  return found;
}
