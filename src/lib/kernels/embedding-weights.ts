/**
 * Reading frozen weights in the 16 bits they were published in, or in f32. No shader-f16 is needed:
 * 16-bit values lie in pairs in u32 words, the lower half first.
 */
import type { DType } from '../gpu';

export const WEIGHT_DTYPES: readonly DType[] = ['f32', 'f16', 'bf16'];

/**
 * `WeightWord`, the element type of `var<storage, read> weight`, and `weightPack(index)`, the
 * Pack of that index; to be put after `packPrelude(width)`.
 */
export function weightPrelude(dtype: DType, width: 1 | 4): string {
  if (dtype === 'f32')
    return 'alias WeightWord = Pack;\nfn weightPack(index: u32) -> Pack { return weight[index]; }\n';
  const pair =
    dtype === 'f16'
      ? 'fn weightPair(word: u32) -> vec2<f32> { return unpack2x16float(word); }\n'
      : 'fn weightPair(word: u32) -> vec2<f32> { return bitcast<vec2<f32>>(vec2<u32>(word << 16u, word & 0xffff0000u)); }\n';
  return width === 4
    ? `alias WeightWord = vec2<u32>;\n${pair}fn weightPack(index: u32) -> Pack { return vec4<f32>(weightPair(weight[index].x), weightPair(weight[index].y)); }\n`
    : `alias WeightWord = u32;\n${pair}fn weightPack(index: u32) -> Pack { return weightPair(weight[index / 2u])[index & 1u]; }\n`;
}
