/**
 * bitsandbytes' 8-bit dynamic code book (`functional.py`, `create_dynamic_map`): 256 values whose spacing grows
 * with their size. Block statistics of 4-bit weights are written in it, with a sign.
 */

/** Powers of ten below 1 that the book covers. */
const DECADES = 7;

/**
 * 256 values, ascending. In each decade the midpoints of 0.1 .. 1 cut into 1, 2, 4, ... parts (twice as many
 * without a sign), and their negatives; then 0 and 1. Every operation is one of f32, so that the bits are those of
 * the map in a file that bitsandbytes wrote.
 */
export function dynamicMap(signed: boolean): Float32Array {
  const values = [0, 1];
  for (let decade = 0; decade < DECADES; decade++) {
    const edges = linspace(2 ** (signed ? decade : decade + 1));
    const unit = Math.fround(Number(`1e${decade - DECADES + 1}`));
    for (const middle of midpoints(edges)) {
      const value = Math.fround(unit * middle);
      values.push(value);
      if (signed) values.push(-value);
    }
  }
  return Float32Array.from(values.sort((a, b) => a - b));
}

/**
 * `torch.linspace(0.1, 1, parts + 1)`, as processors with a fused multiply-add compute it (x86 with AVX2, 64-bit
 * Arm): from either end to the middle, one rounding an edge. Products and sums of these numbers are exact in f64.
 */
function linspace(parts: number): Float32Array {
  const start = Math.fround(0.1);
  const step = Math.fround(Math.fround(1 - start) / parts);
  const fromStart = (parts + 1) >> 1;
  return Float32Array.from({ length: parts + 1 }, (_, i) =>
    i < fromStart ? start + step * i : 1 - step * (parts - i),
  );
}

/** What lies halfway between neighbours, as f32: the boundaries of `nearestCode`. */
export function midpoints(codes: Float32Array): Float32Array {
  return Float32Array.from({ length: codes.length - 1 }, (_, i) =>
    Math.fround(Math.fround(codes[i] + codes[i + 1]) / 2),
  );
}

/** @returns index of the nearest code: how many midpoints lie below the value. Halfway between two, the lower. */
export function nearestCode(value: number, boundaries: Float32Array): number {
  let low = 0;
  let high = boundaries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value > boundaries[middle]) low = middle + 1;
    else high = middle;
  }
  return low;
}
