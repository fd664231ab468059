/**
 * The first columns of Q and rows of R of a QR decomposition by Householder reflections, with the signs of
 * LAPACK (as torch.linalg.qr). Stopping early is what a library's whole decomposition cannot do: OLoRA
 * wants R of some hundreds.
 */
import type { Matrix } from './weight-factors';

/**
 * @param count how many columns of q are wanted; min(rows, columns) at most and when left out
 * @returns q (rows, count) with orthonormal columns, r (count, columns) upper trapezoidal
 */
export function householderQr(
  { data, rows, columns }: Matrix,
  count = Infinity,
): { q: Matrix; r: Matrix } {
  const work = data.slice();
  const k = Math.min(rows, columns, count);
  const reflections: { v: Float64Array; tau: number }[] = [];
  for (let j = 0; j < k; j++) {
    const v = new Float64Array(rows - j);
    for (let i = j; i < rows; i++) v[i - j] = work[i * columns + j];
    const alpha = v[0];
    const tail = v.reduce((sum, value, i) => (i === 0 ? sum : sum + value * value), 0);
    if (tail === 0) {
      reflections.push({ v, tau: 0 });
      continue;
    }
    const beta = -Math.sign(alpha || 1) * Math.sqrt(alpha * alpha + tail);
    const tau = (beta - alpha) / beta;
    for (let i = 1; i < v.length; i++) v[i] /= alpha - beta;
    v[0] = 1;
    reflect(work, columns, j, columns, v, tau);
    reflections.push({ v, tau });
  }
  const r = new Float64Array(k * columns);
  for (let i = 0; i < k; i++)
    for (let j = i; j < columns; j++) r[i * columns + j] = work[i * columns + j];
  const q = new Float64Array(rows * k);
  for (let i = 0; i < k; i++) q[i * k + i] = 1;
  for (let j = k - 1; j >= 0; j--) reflect(q, k, j, k, reflections[j].v, reflections[j].tau);
  return { q: { data: q, rows, columns: k }, r: { data: r, rows: k, columns } };
}

/** Columns from `first` on, rows from `first` on: M -= tau v (v^T M). */
function reflect(
  data: Float64Array,
  columns: number,
  first: number,
  end: number,
  v: Float64Array,
  tau: number,
): void {
  if (tau === 0) return;
  const dots = new Float64Array(end);
  for (let i = 0; i < v.length; i++) {
    const start = (first + i) * columns;
    for (let j = first; j < end; j++) dots[j] += v[i] * data[start + j];
  }
  for (let i = 0; i < v.length; i++) {
    const start = (first + i) * columns;
    const factor = tau * v[i];
    for (let j = first; j < end; j++) data[start + j] -= factor * dots[j];
  }
}
