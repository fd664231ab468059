/** Rows of a prefix before each of B sequences, put in and taken out, in float64. */

export interface PrefixCase {
  B: number;
  T: number;
  P: number;
  W: number;
}

/** @param prefix (P, W) @returns (B * (P + T), W) */
export function insertPrefix(
  x: Float64Array,
  prefix: Float64Array,
  { B, T, W }: PrefixCase,
): Float64Array {
  const out: number[] = [];
  for (let b = 0; b < B; b++) out.push(...prefix, ...x.subarray(b * T * W, (b + 1) * T * W));
  return Float64Array.from(out);
}

/** @returns (B * T, W) */
export function removePrefix(x: Float64Array, { B, T, P, W }: PrefixCase): Float64Array {
  const out: number[] = [];
  for (let b = 0; b < B; b++) out.push(...x.subarray((b * (P + T) + P) * W, (b + 1) * (P + T) * W));
  return Float64Array.from(out);
}

/** @returns (P, W): the prefix rows, summed over the batch */
export function prefixGradient(dX: Float64Array, { B, T, P, W }: PrefixCase): Float64Array {
  const sums = new Float64Array(P * W);
  for (let b = 0; b < B; b++) for (let i = 0; i < P * W; i++) sums[i] += dX[b * (P + T) * W + i];
  return sums;
}

/** @returns (P, W): columns offset to offset + W of a table (P, stride) */
export function columnsOf(
  table: Float64Array,
  stride: number,
  offset: number,
  { P, W }: PrefixCase,
): Float64Array {
  return Float64Array.from(
    { length: P * W },
    (_, i) => table[Math.floor(i / W) * stride + offset + (i % W)],
  );
}
