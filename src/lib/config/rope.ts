/**
 * Rotary tables as transformers computes them, every intermediate rounded to float32 as PyTorch
 * rounds it (`modeling_rope_utils.py`, `LlamaRotaryEmbedding`): kernels and ONNX graphs read the same.
 */
import type { ModelConfig } from './model-config';

export interface RopeTables {
  /** (maxPositions, headDim / 2) */
  readonly cos: Float32Array<ArrayBuffer>;
  /** (maxPositions, headDim / 2) */
  readonly sin: Float32Array<ArrayBuffer>;
}

type RopeSource = Pick<ModelConfig, 'headDim' | 'rope'>;

const f32 = Math.fround;

/** Cosine and sine of position x frequency. Row-major, one row a position from 0 on. */
export function ropeTables(config: RopeSource, maxPositions: number): RopeTables {
  const frequencies = ropeFrequencies(config);
  const half = frequencies.length;
  const cos = new Float32Array(maxPositions * half);
  const sin = new Float32Array(maxPositions * half);
  for (let position = 0; position < maxPositions; position++)
    for (let i = 0; i < half; i++) {
      const angle = f32(position * frequencies[i]);
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  return { cos, sin };
}

/** Radians a position, (headDim / 2), fastest first. */
export function ropeFrequencies({ headDim, rope }: RopeSource): Float32Array<ArrayBuffer> {
  const frequencies = new Float32Array(headDim / 2);
  for (let i = 0; i < frequencies.length; i++)
    frequencies[i] = 1 / f32(Math.pow(rope.theta, f32((2 * i) / headDim)));
  if (rope.type === 'default') return frequencies;
  return frequencies.map((frequency) => stretched(frequency, rope));
}

/** Llama 3.1: long waves divided by `factor`, short ones kept, a ramp between. */
function stretched(
  frequency: number,
  rope: Extract<ModelConfig['rope'], { type: 'llama3' }>,
): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: length } = rope;
  const wavelength = f32((2 * Math.PI) / frequency);
  if (wavelength > length / lowFreqFactor) return f32(frequency / factor);
  if (wavelength < length / highFreqFactor) return frequency;
  const ramp = f32(
    f32(f32(length / wavelength) - lowFreqFactor) / f32(highFreqFactor - lowFreqFactor),
  );
  return f32(f32(f32(f32(1 - ramp) * frequency) / factor) + f32(ramp * frequency));
}
