/** Table lookup in float64 and its gradient; an id outside the table means row 0. */

const rowOf = (id: number, V: number) => (id >= 0 && id < V ? id : 0);

export function embedding(ids: ArrayLike<number>, weight: Float64Array, C: number): Float64Array {
  const V = weight.length / C;
  const out = new Float64Array(ids.length * C);
  for (let n = 0; n < ids.length; n++)
    for (let c = 0; c < C; c++) out[n * C + c] = weight[rowOf(ids[n], V) * C + c];
  return out;
}

/** Adds the rows of dOut to the rows of dWeight that their ids name. */
export function addEmbeddingGradient(
  ids: ArrayLike<number>,
  dOut: Float64Array,
  dWeight: Float64Array,
  C: number,
): void {
  const V = dWeight.length / C;
  for (let n = 0; n < ids.length; n++)
    for (let c = 0; c < C; c++) dWeight[rowOf(ids[n], V) * C + c] += dOut[n * C + c];
}
