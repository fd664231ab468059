/** One linear layer, plain or with a LoRA beside it, over rows of activations. */
import type { LoraShape } from './emit-decoder';
import { FLOAT, MICROSOFT, type GraphBuilder } from './graph-builder';
import { LORA_SCALE, loraKey } from './decoder-weights';
import { Q4_BLOCK } from './quantize-q4';
import type { WeightSupply } from './weight-supply';

export interface LinearNode {
  /** Path of the nodes, `/model/layers.0/self_attn/q_proj`. */
  readonly node: string;
  /** Checkpoint name without `.weight`. */
  readonly weightPath: string;
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly hasBias: boolean;
}

/**
 * ```
 * x ─┬─ Gemm(W, bias) ────────────────────────────┐
 *    └─ Gemm(lora_A) ── Mul(lora_scale) ── Gemm(lora_B, + ) ── y
 * ```
 * W stays (out, in) as published: Gemm with transB reads it as fast as MatMul reads (in, out).
 * @param x (N, inFeatures)
 * @returns (N, outFeatures)
 */
export function emitLinear(
  graph: GraphBuilder,
  weights: WeightSupply,
  linear: LinearNode,
  x: string,
  lora: LoraShape | undefined,
): string {
  const base = emitBase(graph, weights, linear, x);
  if (!lora) return base;
  const { node, weightPath, inFeatures, outFeatures } = linear;
  const [a, b] = [loraKey(weightPath, 'A'), loraKey(weightPath, 'B')];
  graph.input(a, FLOAT, [lora.rank, inFeatures]);
  graph.input(b, FLOAT, [outFeatures, lora.rank]);
  const transB = { attributes: { transB: 1 } };
  const low = graph.node(`${node}/lora_A/Gemm`, 'Gemm', [x, a], transB);
  const scaled = graph.node(`${node}/lora_A/Mul`, 'Mul', [low, LORA_SCALE]);
  return graph.node(`${node}/lora_B/Gemm`, 'Gemm', [scaled, b, base], transB);
}

function emitBase(graph: GraphBuilder, weights: WeightSupply, linear: LinearNode, x: string) {
  const { node, weightPath, inFeatures, outFeatures, hasBias } = linear;
  const bias = hasBias ? [weights.tensor(`${weightPath}.bias`, [outFeatures])] : [];
  if (weights.dtype !== 'q4') {
    const weight = weights.tensor(`${weightPath}.weight`, [outFeatures, inFeatures]);
    return graph.node(`${node}/Gemm`, 'Gemm', [x, weight, ...bias], { attributes: { transB: 1 } });
  }
  const packed = weights.quantized(`${weightPath}.weight`, outFeatures, inFeatures);
  const product = graph.node(`${node}/MatMulNBits`, 'MatMulNBits', [x, ...packed], {
    domain: MICROSOFT,
    attributes: { K: inFeatures, N: outFeatures, bits: 4, block_size: Q4_BLOCK, accuracy_level: 0 },
  });
  return hasBias ? graph.node(`${node}/Add`, 'Add', [product, ...bias]) : product;
}
