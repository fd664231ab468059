/**
 * bitsandbytes' 8-bit dynamic code book (`functional.py`, `create_dynamic_map`): 256 values whose spacing grows
 * with their size. Block statistics of 4-bit weights are written in it, with a sign.
 */

/** Powers of ten below 1 that the book covers. */
const DECADES = 7;

/**
 * 256 values, ascending. In each decade the midpoints of 0.1 .. 1 cut into 1, 2, 4, ... parts (twice as many
 * without a sign), and their negatives; then 0 and 1. Computed in float64 and rounded once.
 */
export function dynamicMap(signed: boolean): Float32Array {
  const values = [0, 1];
  for (let decade = 0; decade < DECADES; decade++) {
    const parts = 2 ** (signed ? decade : decade + 1);
    const step = (1 - 0.1) / parts;
    const edge = (i: number) => (i === parts ? 1 : i * step + 0.1);
    const unit = Number(`1e${decade - DECADES + 1}`);
    for (let i = 0; i < parts; i++) {
      const value = (unit * (edge(i) + edge(i + 1))) / 2;
      values.push(value);
      if (signed) values.push(-value);
    }
  }
  return Float32Array.from(values.sort((a, b) => a - b));
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
