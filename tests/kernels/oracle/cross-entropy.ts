/** Softmax cross-entropy of a linear projection in float64, with its gradient, written plainly. */
import { matrix, product, transposed, withBias, type Matrix } from './matmul';

export interface CrossEntropyResult {
  /** Loss of each compacted row; 0 at and after the number of targets. */
  readonly loss: Float64Array;
  /** 1 where the largest logit is the target's. */
  readonly correct: Uint32Array;
  /** (N, C): gradient of lossScale * sum(loss). */
  readonly dHidden: Matrix;
  /** (V, C): the same for the weight. */
  readonly dWeight: Matrix;
}

/**
 * @param weight (V, C)
 * @param rowIndex rows of `hidden` that have a target; targets[i] belongs to rowIndex[i]
 * @param smoothing share of a target that is spread over the vocabulary, as torch's `label_smoothing`
 */
export function crossEntropy(
  hidden: Matrix,
  weight: Matrix,
  bias: ArrayLike<number> | undefined,
  rowIndex: readonly number[],
  targets: readonly number[],
  lossScale: number,
  smoothing = 0,
): CrossEntropyResult {
  const bare = product(hidden, transposed(weight));
  const logits = bias ? withBias(bare, bias) : bare;
  const V = weight.rows;
  const loss = new Float64Array(hidden.rows);
  const correct = new Uint32Array(hidden.rows);
  const dLogits = matrix(hidden.rows, V);
  rowIndex.forEach((row, i) => {
    const x = logits.data.subarray(row * V, (row + 1) * V);
    const top = x.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = x.reduce((total, value) => total + Math.exp(value - top), 0);
    const wanted = (v: number) => (v === targets[i] ? 1 - smoothing : 0) + smoothing / V;
    const lse = Math.log(sum) + top;
    loss[i] = x.reduce((total, value, v) => total + wanted(v) * (lse - value), 0);
    correct[i] = x.indexOf(top) === targets[i] ? 1 : 0;
    for (let v = 0; v < V; v++)
      dLogits.data[row * V + v] = lossScale * (Math.exp(x[v] - top) / sum - wanted(v));
  });
  return {
    loss,
    correct,
    dHidden: product(dLogits, weight),
    dWeight: product(transposed(dLogits), hidden),
  };
}
