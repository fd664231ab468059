/** Rotary embedding in float64, from the complex numbers of the paper rather than the kernel's formula. */

export interface RotaryCase {
  heads: number;
  headDim: number;
  cos: Float64Array;
  sin: Float64Array;
  positionOf: (row: number) => number;
}

/** Multiplies x1 + i x2 by (cos + i sin)^direction. */
export function rotary(
  x: Float64Array,
  { heads, headDim, cos, sin, positionOf }: RotaryCase,
  direction: 1 | -1 = 1,
): Float64Array {
  const out = new Float64Array(x.length);
  const half = headDim / 2;
  for (let row = 0; row < x.length / (heads * headDim); row++)
    for (let head = 0; head < heads; head++)
      for (let j = 0; j < half; j++) {
        const real = (row * heads + head) * headDim + j;
        const imaginary = real + half;
        const c = cos[positionOf(row) * half + j];
        const s = direction * sin[positionOf(row) * half + j];
        out[real] = x[real] * c - x[imaginary] * s;
        out[imaginary] = x[real] * s + x[imaginary] * c;
      }
  return out;
}
