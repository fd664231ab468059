/** The merge formula: W + scale * B A, and the trained bias in place of the base's. */

/**
 * @param weight (out, in), changed in place
 * @param a (R, in)
 * @param b (out, R)
 */
export function mergeLora(
  weight: Float32Array,
  a: Float32Array,
  b: Float32Array,
  scale: number,
  [outFeatures, inFeatures, rank]: readonly [number, number, number],
): void {
  const row = new Float64Array(inFeatures);
  for (let o = 0; o < outFeatures; o++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = b[o * rank + r];
      if (factor === 0) continue;
      const start = r * inFeatures;
      for (let i = 0; i < inFeatures; i++) row[i] += factor * a[start + i];
    }
    const start = o * inFeatures;
    for (let i = 0; i < inFeatures; i++) weight[start + i] += scale * row[i];
  }
}
