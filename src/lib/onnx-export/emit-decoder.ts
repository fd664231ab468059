/**
 * A ModelConfig becomes the ONNX graph of its decoder: token ids, mask and cache in, logits and the
 * grown cache out, as transformers.js and Optimum name them. Rows of activations are (N, C), N =
 * batch * sequence, for Gemm; attention alone sees (batch, sequence, C). Batches are padded right.
 */
import { layerPath, linearSite, type LinearModule, type ModelConfig } from '../config';
import { NF4_BLOCK, type OnnxModel } from '../formats';
import {
  EMBEDDING,
  FINAL_NORM,
  hasWholeNf4Rows,
  HEAD,
  LORA_SCALE,
  type LayerPaths,
} from './decoder-weights';
import {
  checkHeadSize,
  emitAttention,
  emitLengths,
  rotatesOutside,
  type AttentionShared,
} from './emit-attention';
import { emitLinear, NO_ADDITION } from './emit-linear';
import { emitRmsNorm, emitSkipNorm } from './emit-norm';
import { ExportError } from './errors';
import { FLOAT, FLOAT16, GraphBuilder, INT64 } from './graph-builder';
import { WeightSupply, type ExportDtype, type PlannedTensor } from './weight-supply';

export interface DecoderOptions {
  /** `inputs`: every weight and both rotary tables are graph inputs. `external`: a data file holds them. */
  weights: 'inputs' | 'external';
  /** Default fp32. fp16 and q4 need `external`. */
  dtype?: ExportDtype;
  /** LoRA factors of these layers as graph inputs, named by PEFT's saved keys, and `lora_scale` (1). */
  adapter?: {
    targets: LayerPaths;
    /** Factors on the output, or on the input, of these layers as graph inputs (`factorInputs`). */
    rows?: LayerPaths;
    columns?: LayerPaths;
    /** Whether a row's factor multiplies the bias too: IA3's does, DoRA's does not. */
    rowsWithBias?: boolean;
    /** With `external`: biases are graph inputs too, since an adapter may bring its own. */
    biasInputs?: boolean;
  };
  /** With `inputs`: the linear layers of the blocks are NF4, as QLoRA's base has them. Needs `hasWholeNf4Rows`. */
  fourBit?: boolean;
  /**
   * Default `all`: (batch, sequence, V). `last`: (batch, 1, V). `keep`: an input `num_logits_to_keep`
   * (int64 scalar, 0 = all), which transformers.js sets by itself.
   */
  logits?: 'all' | 'last' | 'keep';
  /** Rows of the rotary tables; default all of max_position_embeddings. */
  maxPositions?: number;
  /** Default `model.onnx_data`. */
  dataFile?: string;
}

/** A graph and how to fill its external data file. */
export interface DecoderPlan {
  readonly model: OnnxModel;
  /** In the order of the file. */
  readonly tensors: readonly PlannedTensor[];
  readonly maxPositions: number;
}

const OPSETS = [
  { domain: '', version: 21 },
  { domain: 'com.microsoft', version: 1 },
] as const;

/** @throws ExportError `unsupported-model`, `invalid-option` */
export function emitDecoder(config: ModelConfig, options: DecoderOptions): OnnxModel {
  return planDecoder(config, options).model;
}

export function planDecoder(config: ModelConfig, options: DecoderOptions): DecoderPlan {
  checkHeadSize(config);
  checkOptions(options);
  if (options.fourBit) checkFourBit(config, options);
  const { adapter, dtype = 'fp32', logits = 'all', dataFile = 'model.onnx_data' } = options;
  const { fourBit = false } = options;
  const maxPositions = options.maxPositions ?? config.maxPositionEmbeddings;
  const graph = new GraphBuilder();
  const weights = new WeightSupply(graph, options.weights, dtype, adapter?.biasInputs ?? false);
  const { hiddenSize, vocabSize, rmsNormEpsilon } = config;
  const rowFactors = adapter?.rowsWithBias ? ('with-bias' as const) : ('before-bias' as const);

  const sequence = ['batch_size', 'sequence_length'];
  const ids = graph.input('input_ids', INT64, sequence);
  const mask = graph.input('attention_mask', INT64, ['batch_size', 'total_sequence_length']);
  const positions = rotatesOutside(config)
    ? graph.input('position_ids', INT64, sequence)
    : undefined;
  const keep = logits === 'keep' ? graph.input('num_logits_to_keep', INT64, []) : undefined;
  if (adapter && adapter.targets.size > 0) graph.input(LORA_SCALE, FLOAT, [1]);
  const tableShape = [maxPositions, config.headDim / 2];
  const idShape = graph.node('/model/Shape', 'Shape', [ids]);
  const shared: AttentionShared = {
    ...emitLengths(graph, mask),
    shape: graph.node('/model/Concat', 'Concat', [idShape, graph.int64([-1])], {
      attributes: { axis: 0 },
    }),
    cos: weights.rope('cos', tableShape),
    sin: weights.rope('sin', tableShape),
    positions,
  };

  const table = weights.tensor(EMBEDDING, [vocabSize, hiddenSize]);
  const embedded = graph.node('/model/embed_tokens/Gather', 'Gather', [table, ids]);
  let residual = graph.node('/model/embed_tokens/Reshape', 'Reshape', [
    embedded,
    graph.int64([-1, hiddenSize]),
  ]);
  let normed = emitRmsNorm(
    graph,
    weights,
    '/model/layers.0/input_layernorm',
    residual,
    norm(`${layerPath(0)}.input_layernorm`),
    rmsNormEpsilon,
  );
  for (let layer = 0; layer < config.layerCount; layer++) {
    const node = `/model/layers.${layer}`;
    const linear = (module: LinearModule, x: string) => {
      const { path, ...shape } = linearSite(config, layer, module);
      const added = {
        lora: adapter?.targets.has(path) ?? false,
        rows: adapter?.rows?.has(path) ? rowFactors : undefined,
        columns: adapter?.columns?.has(path) ?? false,
      };
      const name = { node: `/${path.replace(/\.(?=[a-z])/g, '/')}`, weightPath: path };
      return emitLinear(graph, weights, { ...name, ...shape, fourBit }, x, added);
    };
    const qkv = [
      linear('q_proj', normed),
      linear('k_proj', normed),
      linear('v_proj', normed),
    ] as const;
    const attended = emitAttention(graph, weights, config, layer, shared, qkv);
    const afterAttention = emitSkipNorm(
      graph,
      `${node}/post_attention_layernorm`,
      [residual, linear('o_proj', attended)],
      norm(`${layerPath(layer)}.post_attention_layernorm`),
      rmsNormEpsilon,
    );
    const gate = linear('gate_proj', afterAttention.normed);
    const up = linear('up_proj', afterAttention.normed);
    const sigmoid = graph.node(`${node}/mlp/act_fn/Sigmoid`, 'Sigmoid', [gate]);
    const silu = graph.node(`${node}/mlp/act_fn/Mul`, 'Mul', [gate, sigmoid]);
    const gated = graph.node(`${node}/mlp/Mul`, 'Mul', [silu, up]);
    const isLast = layer === config.layerCount - 1;
    const next = emitSkipNorm(
      graph,
      isLast ? '/model/norm' : `/model/layers.${layer + 1}/input_layernorm`,
      [afterAttention.sum, linear('down_proj', gated)],
      norm(isLast ? FINAL_NORM : `${layerPath(layer + 1)}.input_layernorm`),
      rmsNormEpsilon,
      isLast,
    );
    ({ normed, sum: residual } = next);
  }
  emitHead();
  return {
    model: {
      producerName: 'inkstone',
      opsets: OPSETS,
      graph: graph.finish('decoder', dataFile),
    },
    tensors: weights.planned,
    maxPositions,
  };

  function norm(path: string): string {
    return weights.tensor(path.endsWith('.weight') ? path : `${path}.weight`, [hiddenSize]);
  }

  /**
   * Only the rows that are asked for are multiplied with the vocabulary.
   * ```
   * normed ── [Reshape ── Slice ── Reshape] ── Gemm ── Reshape ── [Cast] ── logits
   * ```
   */
  function emitHead(): void {
    let rows = normed;
    let shape = shared.shape;
    if (logits !== 'all') {
      const start =
        keep === undefined
          ? graph.int64([-1])
          : graph.node(`/${HEAD}/Neg`, 'Neg', [
              graph.node(`/${HEAD}/keep/Reshape`, 'Reshape', [keep, graph.int64([1])]),
            ]);
      const whole = graph.node(`/${HEAD}/sequence/Reshape`, 'Reshape', [rows, shared.shape]);
      const kept = graph.node(`/${HEAD}/Slice`, 'Slice', [
        whole,
        start,
        graph.int64([Number.MAX_SAFE_INTEGER]),
        graph.int64([1]),
      ]);
      rows = graph.node(`/${HEAD}/rows/Reshape`, 'Reshape', [kept, graph.int64([-1, hiddenSize])]);
      const batch = graph.node(`/${HEAD}/batch/Gather`, 'Gather', [idShape, graph.int64([0])]);
      const rest = graph.int64([-1, vocabSize]);
      shape = graph.node(`/${HEAD}/Concat`, 'Concat', [batch, rest], { attributes: { axis: 0 } });
    }
    const product = emitLinear(
      graph,
      weights,
      {
        node: `/${HEAD}`,
        weightPath: config.tieWordEmbeddings ? EMBEDDING.replace(/\.weight$/, '') : HEAD,
        inFeatures: hiddenSize,
        outFeatures: vocabSize,
        hasBias: false,
      },
      rows,
      NO_ADDITION,
    );
    const single = weights.floatType === FLOAT16 ? [`/${HEAD}/Reshape/output_0`] : ['logits'];
    const shaped = graph.node(`/${HEAD}/Reshape`, 'Reshape', [product, shape], { outputs: single });
    if (weights.floatType === FLOAT16)
      graph.node(`/${HEAD}/Cast`, 'Cast', [shaped], {
        attributes: { to: FLOAT },
        outputs: ['logits'],
      });
    const rowName = logits === 'all' ? 'sequence_length' : logits === 'last' ? 1 : 'kept_length';
    graph.output('logits', FLOAT, ['batch_size', rowName, vocabSize]);
  }
}

function checkFourBit(config: ModelConfig, { weights }: DecoderOptions): void {
  if (weights !== 'inputs')
    throw new ExportError(
      'invalid-option',
      '4-bit weights were asked for with external weights; they are allowed as inputs.',
    );
  if (!hasWholeNf4Rows(config))
    throw new ExportError(
      'unsupported-model',
      `A linear layer of this model reads a number of features that is no multiple of ${NF4_BLOCK}, which 4-bit products need. Use 32-bit weights.`,
    );
}

function checkOptions({ weights, dtype = 'fp32', adapter }: DecoderOptions): void {
  if (dtype !== 'fp32' && weights === 'inputs')
    throw new ExportError(
      'invalid-option',
      `dtype ${dtype} was asked for with weights as inputs; fp32 is allowed there, fp16 and q4 go with external weights.`,
    );
  if (dtype !== 'fp32' && adapter)
    throw new ExportError(
      'invalid-option',
      `dtype ${dtype} was asked for with an adapter as inputs; fp32 is allowed there. Merge the adapter first.`,
    );
}
