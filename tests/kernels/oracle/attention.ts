/** Causal grouped-query attention in float64 with the whole row of scores, and its gradients. */

export interface AttentionCase {
  B: number;
  T: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  scale: number;
  slidingWindow?: number;
  /** First key that each query may see, (B * T); 0 when left out. */
  starts?: readonly number[];
}

/** Softmax weights of one query over keys 0 .. i, zeros outside the window and before its sequence. */
function weightsOf(
  q: Float64Array,
  k: Float64Array,
  shape: AttentionCase,
  at: { b: number; h: number; i: number },
) {
  const { T, heads, kvHeads, headDim: D, scale, slidingWindow = Infinity, starts } = shape;
  const kvHead = Math.floor(at.h / (heads / kvHeads));
  const query = ((at.b * T + at.i) * heads + at.h) * D;
  const scores = new Float64Array(at.i + 1).fill(-Infinity);
  const first = starts?.[at.b * T + at.i] ?? 0;
  for (let j = Math.max(first, at.i - slidingWindow + 1); j <= at.i; j++) {
    const key = ((at.b * T + j) * kvHeads + kvHead) * D;
    let sum = 0;
    for (let d = 0; d < D; d++) sum += q[query + d] * k[key + d];
    scores[j] = sum * scale;
  }
  const maximum = Math.max(...scores);
  const total = scores.reduce((sum, score) => sum + Math.exp(score - maximum), 0);
  const lse = maximum + Math.log(total);
  return { kvHead, query, lse, weights: scores.map((score) => Math.exp(score - lse)) };
}

export function attention(q: Float64Array, k: Float64Array, v: Float64Array, shape: AttentionCase) {
  const { B, T, heads, kvHeads, headDim: D } = shape;
  const out = new Float64Array(q.length);
  const lse = new Float64Array(B * heads * T);
  for (let b = 0; b < B; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < T; i++) {
        const row = weightsOf(q, k, shape, { b, h, i });
        lse[(b * heads + h) * T + i] = row.lse;
        row.weights.forEach((weight, j) => {
          const value = ((b * T + j) * kvHeads + row.kvHead) * D;
          for (let d = 0; d < D; d++) out[row.query + d] += weight * v[value + d];
        });
      }
  return { out, lse };
}

export function attentionGradients(
  dOut: Float64Array,
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  shape: AttentionCase,
) {
  const { B, T, heads, kvHeads, headDim: D, scale } = shape;
  const dQ = new Float64Array(q.length);
  const dK = new Float64Array(k.length);
  const dV = new Float64Array(v.length);
  for (let b = 0; b < B; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < T; i++) {
        const { kvHead, query, weights } = weightsOf(q, k, shape, { b, h, i });
        const keyAt = (j: number) => ((b * T + j) * kvHeads + kvHead) * D;
        const dWeights = weights.map((weight, j) => {
          let sum = 0;
          for (let d = 0; d < D; d++) {
            sum += dOut[query + d] * v[keyAt(j) + d];
            dV[keyAt(j) + d] += weight * dOut[query + d];
          }
          return sum;
        });
        const mean = weights.reduce((sum, weight, j) => sum + weight * dWeights[j], 0);
        weights.forEach((weight, j) => {
          const dScore = weight * (dWeights[j] - mean) * scale;
          for (let d = 0; d < D; d++) {
            dQ[query + d] += dScore * k[keyAt(j) + d];
            dK[keyAt(j) + d] += dScore * q[query + d];
          }
        });
      }
  return { dQ, dK, dV };
}
