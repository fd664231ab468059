/**
 * A ModelConfig becomes a list of dispatches: forward keeps what backward needs. The block is the
 * one that Llama, Mistral, Qwen2 and Qwen3 share: pre-norm attention, then a gated feed-forward.
 *
 *   h ── norm ── q,k,v ── [q/k norm] ── rotary ── attention ── o_proj ──(+h)── norm ── gate,up ── silu*up ── down ──(+)── h'
 */
import { type LinearModule, type ModelConfig, linearSites, type LinearSite } from '../config';
import { reshaped, type PlanBuilder, type Tensor } from '../gpu';
import { addForward, addInto } from '../kernels/add';
import { linearCrossEntropy } from '../kernels/cross-entropy';
import { embeddingBackward, embeddingForward } from '../kernels/embedding';
import { linearForward } from '../kernels/linear';
import { rmsNormBackward, rmsNormForward } from '../kernels/rms-norm';
import { rotaryBackward, rotaryForward } from '../kernels/rotary';
import { swigluBackward, swigluForward } from '../kernels/swiglu';
import type { WeightMatrix } from '../kernels/weight';
import type { LayerContext } from './layer-context';
import { backwardLinear, forwardLinear, type LinearTrace } from './linear-layer';
import { attendBackward, attendForward, type AttentionTrace } from './prefix-attention';
import type { Adapter } from './trainable';
import type { ModelWeights } from './weights';

/** Rotary tables, (maxT, D/2) each; row 0 is the position of a sequence's first token, after a prefix if there is one. */
export interface RotaryTensors {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** What a plan reads anew for every micro-batch of B rows padded to T tokens; N = B * T. */
export interface BatchTensors {
  readonly B: number;
  readonly T: number;
  /** (N) i32 token ids, row after row. */
  readonly ids: Tensor;
  /** (N) i32: positions that have a target, compacted to the front. */
  readonly rowIndex: Tensor;
  /** (N) i32: the target of each of them. */
  readonly targets: Tensor;
  /** Where rows hold several sequences. */
  readonly segments?: SegmentTensors;
}

/** What keeps the sequences of packed rows apart. */
export interface SegmentTensors {
  /** (N) i32: position in its own sequence. */
  readonly positions: Tensor;
  /** (N) u32: first key of its row that a query sees, see kernels/attention.ts. */
  readonly firstKeys: Tensor;
}

export interface DecoderInput {
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
  readonly adapter: Adapter;
  readonly rotary: RotaryTensors;
  readonly batch: BatchTensors;
  /** StepState of kernels/step-state.ts. */
  readonly step: Tensor;
  /** Keeps only each layer's input and computes the rest of it again in backward: the same bits, less memory. */
  readonly gradientCheckpointing?: boolean;
  /** See LinearCrossEntropyArgs; 0 when left out. */
  readonly labelSmoothing?: number;
  /** (N, C), added to the embeddings (NEFTune). */
  readonly embeddingNoise?: Tensor;
  /** Products with the model's weights round their operands to 16 bits; see kernels/matmul.ts. */
  readonly fp16?: boolean;
}

const EMBEDDING = 'model.embed_tokens.weight';

interface NormTrace {
  readonly x: Tensor;
  readonly rstd: Tensor;
}

interface LayerTrace {
  readonly inputNorm: NormTrace;
  readonly qNorm: NormTrace | undefined;
  readonly kNorm: NormTrace | undefined;
  readonly attention: AttentionTrace;
  readonly postNorm: NormTrace;
  readonly gate: Tensor;
  readonly up: Tensor;
  readonly linear: Readonly<Record<LinearModule, LinearTrace>>;
}

/** Appends one decoder's dispatches to a plan. */
export class Decoder {
  private readonly context: LayerContext;
  private readonly sites: readonly LinearSite[];

  constructor(
    private readonly plan: PlanBuilder,
    private readonly input: DecoderInput,
    training: boolean,
  ) {
    this.context = {
      plan,
      weights: input.weights,
      adapter: input.adapter,
      step: input.step,
      training,
      fp16: input.fp16 ?? false,
    };
    this.sites = linearSites(input.config);
  }

  /** Hidden states before the output projection, (N, C), for evaluation: nothing is kept. */
  forward(): Tensor {
    return this.forwardTraced().hidden;
  }

  /** Logits of every position, (N, V). For tests and small models: memory is N x V. */
  logits(): Tensor {
    return linearForward(this.plan, { label: '/lm_head', x: this.forward(), weight: this.head() });
  }

  /** Losses of the rows that have a target; `correct` marks those whose target is the likeliest token. */
  evaluate(loss: Tensor, correct?: Tensor): void {
    const { batch, step, labelSmoothing } = this.input;
    linearCrossEntropy(this.plan, {
      label: '/loss',
      hidden: this.forward(),
      weight: this.head(),
      rowIndex: batch.rowIndex,
      targets: batch.targets,
      step,
      loss,
      correct,
      labelSmoothing,
    });
  }

  /** Forward, loss and backward: gradients accumulate in the adapter's tensors. */
  train(loss: Tensor): void {
    const { batch, step, config, adapter, gradientCheckpointing, labelSmoothing } = this.input;
    const { hidden, inputs, layers, finalNorm } = this.forwardTraced();
    const dHidden = this.plan.tensor('dHidden', hidden.shape);
    linearCrossEntropy(this.plan, {
      label: '/loss',
      hidden,
      weight: this.head(),
      dWeight: adapter.tensor(this.headName)?.gradient,
      rowIndex: batch.rowIndex,
      targets: batch.targets,
      step,
      loss,
      dHidden,
      labelSmoothing,
    });
    const dH = this.backwardNorm('model.norm', finalNorm, dHidden);
    const table = adapter.tensor(EMBEDDING)?.gradient;
    const lowest = this.lowestTrainedLayer();
    for (let layer = config.layerCount - 1; layer >= lowest; layer--) {
      const trace = gradientCheckpointing
        ? this.forwardLayer(layer, inputs[layer]).trace
        : layers[layer];
      this.backwardLayer(layer, trace, dH, layer > lowest || table !== undefined);
    }
    if (table)
      embeddingBackward(this.plan, {
        label: '/model/embed_tokens',
        ids: batch.ids,
        dOut: dH,
        dWeight: table,
        // As transformers' models have it; what a tied head adds to that row stays.
        paddingId: this.input.config.padTokenId,
      });
  }

  private forwardTraced() {
    const { batch, config, embeddingNoise } = this.input;
    let h = embeddingForward(this.plan, {
      label: '/model/embed_tokens',
      ids: batch.ids,
      weight: this.tensor(EMBEDDING),
      C: config.hiddenSize,
      V: config.vocabSize,
    });
    if (embeddingNoise)
      addInto(this.plan, { label: '/model/embed_tokens/noise', from: embeddingNoise, into: h });
    const inputs: Tensor[] = [];
    const layers: LayerTrace[] = [];
    for (let layer = 0; layer < config.layerCount; layer++) {
      inputs.push(h);
      const { out, trace } = this.forwardLayer(layer, h);
      layers.push(trace);
      h = out;
    }
    const { out: hidden, trace: finalNorm } = this.forwardNorm('model.norm', h);
    return { hidden, inputs, layers, finalNorm };
  }

  private forwardLayer(layer: number, h: Tensor): { out: Tensor; trace: LayerTrace } {
    const { config, rotary, batch } = this.input;
    const { B, T } = batch;
    const { headCount: heads, kvHeadCount: kvHeads, headDim } = config;
    const block = `model.layers.${layer}`;
    const { out: n1, trace: inputNorm } = this.forwardNorm(`${block}.input_layernorm`, h);
    const q = this.forwardLinear(layer, 'q_proj', n1);
    const k = this.forwardLinear(layer, 'k_proj', n1);
    const v = this.forwardLinear(layer, 'v_proj', n1);
    const qNormed = this.forwardHeadNorm(`${block}.self_attn.q_norm`, q.out, heads);
    const kNormed = this.forwardHeadNorm(`${block}.self_attn.k_norm`, k.out, kvHeads);
    const label = `/model/layers.${layer}/self_attn`;
    const rotated = (x: Tensor, count: number, name: string) =>
      rotaryForward(this.plan, {
        label: `${label}/${name}_rotary`,
        x,
        ...rotary,
        positions: batch.segments?.positions,
        T,
        heads: count,
        headDim,
      });
    const qRotated = rotated(qNormed.out, heads, 'q');
    const kRotated = rotated(kNormed.out, kvHeads, 'k');
    const { out: attended, trace: attention } = attendForward(
      this.plan,
      { label, q: qRotated, k: kRotated, v: v.out, ...this.attentionSizes(layer, B, T) },
      this.input.adapter.prefix,
      layer,
    );
    const o = this.forwardLinear(layer, 'o_proj', attended);
    const h2 = addForward(this.plan, { label: `${label}/add`, a: h, b: o.out });
    const { out: n2, trace: postNorm } = this.forwardNorm(`${block}.post_attention_layernorm`, h2);
    const gate = this.forwardLinear(layer, 'gate_proj', n2);
    const up = this.forwardLinear(layer, 'up_proj', n2);
    const mlp = `/model/layers.${layer}/mlp`;
    const act = swigluForward(this.plan, { label: mlp, gate: gate.out, up: up.out });
    const down = this.forwardLinear(layer, 'down_proj', act);
    const out = addForward(this.plan, { label: `${mlp}/add`, a: h2, b: down.out });
    const linear = {
      q_proj: q.trace,
      k_proj: k.trace,
      v_proj: v.trace,
      o_proj: o.trace,
      gate_proj: gate.trace,
      up_proj: up.trace,
      down_proj: down.trace,
    };
    return {
      out,
      trace: {
        inputNorm,
        qNorm: qNormed.trace,
        kNorm: kNormed.trace,
        attention,
        postNorm,
        gate: gate.out,
        up: up.out,
        linear,
      },
    };
  }

  /** @param dH gradient of the layer's output on entry, of its input on return (when `goesOn`) */
  private backwardLayer(layer: number, trace: LayerTrace, dH: Tensor, goesOn: boolean): void {
    const { config, batch, rotary } = this.input;
    const { headCount: heads, kvHeadCount: kvHeads, headDim } = config;
    const { linear } = trace;
    const block = `model.layers.${layer}`;
    const mlp = `/model/layers.${layer}/mlp`;
    const dAct = this.backwardLinear(linear.down_proj, dH);
    const { gate, up } = trace;
    const { dGate, dUp } = swigluBackward(this.plan, { label: mlp, dOut: dAct, gate, up });
    const dN2 = this.backwardLinear(linear.gate_proj, dGate);
    this.backwardLinear(linear.up_proj, dUp, dN2);
    this.backwardNorm(`${block}.post_attention_layernorm`, trace.postNorm, dN2, dH);

    const label = `/model/layers.${layer}/self_attn`;
    const dOut = this.backwardLinear(linear.o_proj, dH);
    const { dQ, dK, dV } = attendBackward(
      this.plan,
      { label, ...this.attentionSizes(layer, batch.B, batch.T) },
      trace.attention,
      dOut,
      this.input.adapter.prefix,
      layer,
    );
    const unrotated = (gradient: Tensor, count: number, name: string) =>
      rotaryBackward(this.plan, {
        label: `${label}/${name}_rotary`,
        dOut: gradient,
        ...rotary,
        positions: batch.segments?.positions,
        T: batch.T,
        heads: count,
        headDim,
      });
    const { qNorm, kNorm } = trace;
    const dQLinear = this.backwardHeadNorm(
      `${block}.self_attn.q_norm`,
      qNorm,
      unrotated(dQ, heads, 'q'),
    );
    const dKLinear = this.backwardHeadNorm(
      `${block}.self_attn.k_norm`,
      kNorm,
      unrotated(dK, kvHeads, 'k'),
    );
    if (!goesOn) {
      backwardLinear(this.context, linear.q_proj, dQLinear, undefined);
      backwardLinear(this.context, linear.k_proj, dKLinear, undefined);
      backwardLinear(this.context, linear.v_proj, dV, undefined);
      return;
    }
    const dN1 = this.backwardLinear(linear.q_proj, dQLinear);
    this.backwardLinear(linear.k_proj, dKLinear, dN1);
    this.backwardLinear(linear.v_proj, dV, dN1);
    this.backwardNorm(`${block}.input_layernorm`, trace.inputNorm, dN1, dH);
  }

  private attentionSizes(layer: number, B: number, T: number) {
    const { headCount, kvHeadCount, headDim, slidingWindow } = this.input.config;
    return {
      B,
      T,
      heads: headCount,
      kvHeads: kvHeadCount,
      headDim,
      scale: 1 / Math.sqrt(headDim),
      slidingWindow: slidingWindow[layer],
      firstKeys: this.input.batch.segments?.firstKeys,
    };
  }

  private forwardLinear(layer: number, module: LinearModule, x: Tensor) {
    const index = this.sites.findIndex((site) => site.layer === layer && site.module === module);
    return forwardLinear(this.context, this.sites[index], index, x);
  }

  /** dX written anew, or accumulated into `into`. */
  private backwardLinear(trace: LinearTrace, dOut: Tensor, into?: Tensor): Tensor {
    return backwardLinear(this.context, trace, dOut, { tensor: into, accumulate: !!into })!;
  }

  private forwardNorm(path: string, x: Tensor) {
    const { out, rstd } = rmsNormForward(this.plan, {
      label: `/${path.replaceAll('.', '/')}`,
      x,
      weight: this.tensor(`${path}.weight`),
      epsilon: this.input.config.rmsNormEpsilon,
    });
    return { out, trace: { x, rstd } };
  }

  /** RMSNorm over each head: rows are heads. Absent but in Qwen3. */
  private forwardHeadNorm(path: string, x: Tensor, heads: number) {
    if (!this.input.config.qkNorm) return { out: x, trace: undefined };
    const perHead = reshaped(x, [x.shape[0] * heads, this.input.config.headDim]);
    const { out, trace } = this.forwardNorm(path, perHead);
    return { out: reshaped(out, x.shape), trace };
  }

  /** dX written anew, or added to the gradient that a residual connection already holds. */
  private backwardNorm(path: string, trace: NormTrace, dOut: Tensor, into?: Tensor): Tensor {
    return rmsNormBackward(this.plan, {
      label: `/${path.replaceAll('.', '/')}/backward`,
      dOut,
      x: trace.x,
      weight: this.tensor(`${path}.weight`),
      dWeight: this.input.adapter.tensor(`${path}.weight`)?.gradient,
      rstd: trace.rstd,
      dX: into,
      accumulate: into !== undefined,
    });
  }

  private backwardHeadNorm(path: string, trace: NormTrace | undefined, dOut: Tensor): Tensor {
    if (!trace) return dOut;
    return reshaped(this.backwardNorm(path, trace, reshaped(dOut, trace.x.shape)), dOut.shape);
  }

  /** A tensor of the checkpoint: the base's, or the one in training. */
  private tensor(name: string): Tensor {
    return this.input.adapter.tensor(name)?.value ?? this.input.weights.get(name);
  }

  private get headName(): string {
    return this.input.config.tieWordEmbeddings ? EMBEDDING : 'lm_head.weight';
  }

  private head(): WeightMatrix {
    const { fp16 } = this.context;
    return { ...this.input.weights.head, tensor: this.tensor(this.headName), fp16 };
  }

  /** Gradients need not go below this layer. */
  private lowestTrainedLayer(): number {
    const { adapter, config } = this.input;
    if (adapter.prefix || adapter.tensor(EMBEDDING)) return 0;
    const isTrained = ({ path }: LinearSite) =>
      adapter.lora(path) ?? adapter.bias(path) ?? adapter.scaling(path);
    const trained = this.sites.filter(isTrained);
    return Math.min(config.layerCount, ...trained.map(({ layer }) => layer));
  }
}
