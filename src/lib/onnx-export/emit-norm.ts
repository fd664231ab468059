/** RMSNorm, alone and with the residual added first. */
import { float, MICROSOFT, type GraphBuilder } from './graph-builder';
import type { WeightSupply } from './weight-supply';

/**
 * In the standard's own operators, which the ONNX checker knows and ONNX Runtime fuses into its
 * SimplifiedLayerNormalization, with the weight as an input too.
 * ```
 * x ─┬─ Pow 2 ── ReduceMean ── Add eps ── Sqrt ─┐
 *    └──────────────────────────────────────── Div ── Mul weight
 * ```
 * @param x (N, C)
 * @param weight (C)
 */
export function emitRmsNorm(
  graph: GraphBuilder,
  weights: WeightSupply,
  node: string,
  x: string,
  weight: string,
  epsilon: number,
): string {
  const square = graph.node(`${node}/Pow`, 'Pow', [x, weights.scalar(2)]);
  const mean = graph.node(`${node}/ReduceMean`, 'ReduceMean', [square, graph.int64([-1])]);
  const sum = graph.node(`${node}/Add`, 'Add', [mean, weights.scalar(epsilon)]);
  const root = graph.node(`${node}/Sqrt`, 'Sqrt', [sum]);
  const unit = graph.node(`${node}/Div`, 'Div', [x, root]);
  return graph.node(`${node}/Mul`, 'Mul', [unit, weight]);
}

/**
 * sum = x + skip, normed = RMSNorm(sum).
 * @param last true where nothing reads the sum
 */
export function emitSkipNorm(
  graph: GraphBuilder,
  node: string,
  [x, skip]: readonly [string, string],
  weight: string,
  epsilon: number,
  last = false,
): { normed: string; sum: string } {
  const path = `${node}/SkipLayerNorm`;
  const [normed, sum] = [`${path}/output_0`, `${path}/output_3`];
  graph.node(path, 'SkipSimplifiedLayerNormalization', [x, skip, weight], {
    domain: MICROSOFT,
    attributes: { epsilon: float(epsilon) },
    outputs: last ? [normed] : [normed, '', '', sum],
  });
  return { normed, sum };
}
