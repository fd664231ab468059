/** RMSNorm in float64. */

export function rmsNorm(x: Float64Array, weight: Float64Array, epsilon: number) {
  const C = weight.length;
  const N = x.length / C;
  const out = new Float64Array(N * C);
  const rstd = new Float64Array(N);
  for (let n = 0; n < N; n++) {
    let squares = 0;
    for (let c = 0; c < C; c++) squares += x[n * C + c] ** 2;
    rstd[n] = 1 / Math.sqrt(squares / C + epsilon);
    for (let c = 0; c < C; c++) out[n * C + c] = x[n * C + c] * rstd[n] * weight[c];
  }
  return { out, rstd };
}

export function rmsNormGradients(
  dOut: Float64Array,
  x: Float64Array,
  weight: Float64Array,
  epsilon: number,
) {
  const C = weight.length;
  const { rstd } = rmsNorm(x, weight, epsilon);
  const dX = new Float64Array(x.length);
  const dWeight = new Float64Array(C);
  rstd.forEach((r, n) => {
    let pull = 0;
    for (let c = 0; c < C; c++) {
      const i = n * C + c;
      pull += dOut[i] * weight[c] * x[i];
      dWeight[c] += dOut[i] * x[i] * r;
    }
    for (let c = 0; c < C; c++) {
      const i = n * C + c;
      dX[i] = r * weight[c] * dOut[i] - (x[i] * r ** 3 * pull) / C;
    }
  });
  return { dX, dWeight };
}
