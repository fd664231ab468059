/** One linear layer, plain or with what an adapter adds to it, over rows of activations. */
import { FLOAT, MICROSOFT, type GraphBuilder } from './graph-builder';
import { factorKey, LORA_SCALE, loraKey } from './decoder-weights';
import { NF4_BLOCK } from '../formats';
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
  /** The weight is NF4, given as two graph inputs. */
  readonly fourBit?: boolean;
}

/** What an adapter adds to a layer, each part a graph input. */
export interface LinearAdapter {
  /** A and B, of a symbolic rank of the layer's own. */
  readonly lora: boolean;
  /** Factors on what comes out, before the bias is added (DoRA) or with it (IA3 on attention). */
  readonly rows: 'before-bias' | 'with-bias' | undefined;
  /** Factors on what goes in: IA3's on the feed-forward. */
  readonly columns: boolean;
}

/** MatMulBnb4's `quant_type`; 0 is FP4. */
const NF4 = 1;

export const NO_ADDITION: LinearAdapter = { lora: false, rows: undefined, columns: false };

/**
 * ```
 * x ── [Mul] ─┬─ Gemm(W, bias) ────────────────────────────┐
 *             └─ Gemm(lora_A) ── Mul(lora_scale) ── Gemm(lora_B, + ) ── [Mul ── Add(bias)] ── y
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
  { lora, rows, columns }: LinearAdapter,
): string {
  const { node, weightPath, inFeatures, outFeatures, hasBias } = linear;
  let input = x;
  if (columns) {
    const factors = graph.input(factorKey(weightPath, 'columns'), FLOAT, [inFeatures]);
    input = graph.node(`${node}/columns/Mul`, 'Mul', [x, factors]);
  }
  const plain = rows === 'before-bias' ? { ...linear, hasBias: false } : linear;
  const base = emitBase(graph, weights, plain, input);
  const sum = lora ? emitLora(graph, linear, input, base) : base;
  if (!rows) return sum;
  const factors = graph.input(factorKey(weightPath, 'rows'), FLOAT, [outFeatures]);
  const scaled = graph.node(`${node}/rows/Mul`, 'Mul', [sum, factors]);
  if (!hasBias || rows === 'with-bias') return scaled;
  const bias = weights.tensor(`${weightPath}.bias`, [outFeatures]);
  return graph.node(`${node}/rows/Add`, 'Add', [scaled, bias]);
}

function emitLora(
  graph: GraphBuilder,
  { node, weightPath, inFeatures, outFeatures }: LinearNode,
  x: string,
  base: string,
): string {
  const [a, b] = [loraKey(weightPath, 'A'), loraKey(weightPath, 'B')];
  // Buffers are shared by what has one name in its shape, and ranks differ from layer to layer.
  const rank = `${weightPath}.rank`;
  graph.input(a, FLOAT, [rank, inFeatures]);
  graph.input(b, FLOAT, [outFeatures, rank]);
  const transB = { attributes: { transB: 1 } };
  const low = graph.node(`${node}/lora_A/Gemm`, 'Gemm', [x, a], transB);
  const scaled = graph.node(`${node}/lora_A/Mul`, 'Mul', [low, LORA_SCALE]);
  return graph.node(`${node}/lora_B/Gemm`, 'Gemm', [scaled, b, base], transB);
}

function emitBase(graph: GraphBuilder, weights: WeightSupply, linear: LinearNode, x: string) {
  const { node, weightPath, inFeatures, outFeatures, hasBias, fourBit } = linear;
  const bias = hasBias ? [weights.tensor(`${weightPath}.bias`, [outFeatures])] : [];
  const sizes = { K: inFeatures, N: outFeatures };
  const withBias = (product: string) =>
    hasBias ? graph.node(`${node}/Add`, 'Add', [product, ...bias]) : product;
  if (fourBit) {
    const packed = weights.nf4(`${weightPath}.weight`, outFeatures, inFeatures);
    return withBias(
      graph.node(`${node}/MatMulBnb4`, 'MatMulBnb4', [x, ...packed], {
        domain: MICROSOFT,
        attributes: { ...sizes, block_size: NF4_BLOCK, quant_type: NF4 },
      }),
    );
  }
  if (weights.dtype !== 'q4') {
    const weight = weights.tensor(`${weightPath}.weight`, [outFeatures, inFeatures]);
    return graph.node(`${node}/Gemm`, 'Gemm', [x, weight, ...bias], { attributes: { transB: 1 } });
  }
  const packed = weights.quantized(`${weightPath}.weight`, outFeatures, inFeatures);
  const product = graph.node(`${node}/MatMulNBits`, 'MatMulNBits', [x, ...packed], {
    domain: MICROSOFT,
    attributes: { ...sizes, bits: 4, block_size: Q4_BLOCK, accuracy_level: 0 },
  });
  return withBias(product);
}
