/** Self-attention of one layer over GroupQueryAttention, with the cache as inputs and outputs. */
import { layerPath, type ModelConfig } from '../config';
import { emitRmsNorm } from './emit-norm';
import { ExportError } from './errors';
import { float, INT32, MICROSOFT, type GraphBuilder } from './graph-builder';
import type { WeightSupply } from './weight-supply';

/** GroupQueryAttention wants whole groups of 8; where it rotates, of 16. */
const HEAD_MULTIPLE = 8;
const ROTATING_HEAD_MULTIPLE = 16;

/** Values that all layers read. */
export interface AttentionShared {
  /** Shape tensor [batch, sequence, -1]. */
  readonly shape: string;
  readonly seqlens: string;
  readonly totalLength: string;
  readonly cos: string;
  readonly sin: string;
  /** Only where the rotation lies outside GroupQueryAttention. */
  readonly positions: string | undefined;
}

/** @throws ExportError `unsupported-model` */
export function checkHeadSize({ headDim }: ModelConfig): void {
  if (headDim % HEAD_MULTIPLE !== 0)
    throw new ExportError(
      'unsupported-model',
      `head_dim is ${headDim}; ONNX Runtime's attention takes multiples of ${HEAD_MULTIPLE}. This model can be trained and saved as safetensors, not run or exported as ONNX.`,
      { details: { headDim, multiple: HEAD_MULTIPLE } },
    );
}

export const rotatesOutside = ({ headDim }: ModelConfig) => headDim % ROTATING_HEAD_MULTIPLE !== 0;

/**
 * From the mask: seqlens_k = sum - 1 per row, total_sequence_length = its width.
 * ```
 * attention_mask ─┬─ ReduceSum ── Sub 1 ── Cast
 *                 └─ Shape ── Gather 1 ── Cast
 * ```
 */
export function emitLengths(graph: GraphBuilder, mask: string) {
  const path = '/model/attn_mask_reformat';
  const cast = { attributes: { to: INT32 } };
  const sum = graph.node(`${path}/ReduceSum`, 'ReduceSum', [mask, graph.int64([1])], {
    attributes: { keepdims: 0 },
  });
  const less = graph.node(`${path}/Sub`, 'Sub', [sum, graph.int64([1])]);
  const seqlens = graph.node(`${path}/seqlens/Cast`, 'Cast', [less], cast);
  const shape = graph.node(`${path}/Shape`, 'Shape', [mask]);
  const total = graph.node(`${path}/Gather`, 'Gather', [shape, graph.int64(1)]);
  const totalLength = graph.node(`${path}/total/Cast`, 'Cast', [total], cast);
  return { seqlens, totalLength };
}

/**
 * @param qkv rows (N, heads * headDim), the key and value with their own number of heads
 * @returns rows (N, headCount * headDim)
 */
export function emitAttention(
  graph: GraphBuilder,
  weights: WeightSupply,
  config: ModelConfig,
  layer: number,
  shared: AttentionShared,
  qkv: readonly [string, string, string],
): string {
  const { headCount, kvHeadCount, headDim } = config;
  const node = `/model/layers.${layer}/self_attn`;
  const [q, k, v] = qkv.map((rows, index) => {
    const name = 'qkv'[index];
    const ready = index < 2 && config.qkNorm ? headNorm(name, rows) : rows;
    const value = graph.node(`${node}/${name}_proj/Reshape`, 'Reshape', [ready, shared.shape]);
    if (index === 2 || shared.positions === undefined) return value;
    return graph.node(
      `${node}/${name}_rotary/RotaryEmbedding`,
      'RotaryEmbedding',
      [value, shared.positions, shared.cos, shared.sin],
      { domain: MICROSOFT, attributes: { interleaved: 0 } },
    );
  });
  const cacheShape = (length: string) => ['batch_size', kvHeadCount, length, headDim];
  const past = (['key', 'value'] as const).map((part) =>
    graph.input(
      `past_key_values.${layer}.${part}`,
      weights.floatType,
      cacheShape('past_sequence_length'),
    ),
  );
  const rotates = shared.positions === undefined;
  const window = config.slidingWindow[layer];
  const present = (['key', 'value'] as const).map((part) => `present.${layer}.${part}`);
  const path = `${node}/GroupQueryAttention`;
  const result = graph.node(
    path,
    'GroupQueryAttention',
    [
      ...[q, k, v],
      ...past,
      shared.seqlens,
      shared.totalLength,
      ...(rotates ? [shared.cos, shared.sin] : []),
    ],
    {
      domain: MICROSOFT,
      attributes: {
        num_heads: headCount,
        kv_num_heads: kvHeadCount,
        scale: float(1 / Math.sqrt(headDim)),
        do_rotary: rotates ? 1 : 0,
        rotary_interleaved: 0,
        ...(window === undefined ? {} : { local_window_size: window }),
      },
      outputs: [`${path}/output_0`, ...present],
    },
  );
  for (const name of present)
    graph.output(name, weights.floatType, cacheShape('total_sequence_length'));
  const rows = graph.int64([-1, headCount * headDim]);
  return graph.node(`${node}/Reshape`, 'Reshape', [result, rows]);

  /** RMSNorm over each head (Qwen3), as explicit nodes: the wasm backend's attention has none. */
  function headNorm(name: string, rows: string): string {
    const path = `${node}/${name}_norm`;
    const heads = graph.node(`${path}/Reshape`, 'Reshape', [rows, graph.int64([-1, headDim])]);
    const weight = weights.tensor(`${layerPath(layer)}.self_attn.${name}_norm.weight`, [headDim]);
    return emitRmsNorm(graph, weights, path, heads, weight, config.rmsNormEpsilon);
  }
}
