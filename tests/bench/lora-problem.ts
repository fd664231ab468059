/** The LoRA problem that ours and all peers solve, as plain numbers and arrays. */
import { ropeTables } from '$lib/config/rope';
import { Xoshiro128 } from '$lib/config/random';
import {
  DEFAULT_LORA_CONFIG,
  DEFAULT_TRAINING_ARGUMENTS,
  loraScale,
  parseModelConfig,
  type LoraConfig,
  type ModelConfig,
  type TrainingArguments,
} from '$lib/config';
import { adaptedModel, parameterShapes } from '$lib/decoder';
import { elementCount } from '$lib/gpu';
import { initAdapter, layoutAdapter } from '$lib/peft';

export interface Batch {
  /** (B * T) */
  readonly ids: Int32Array;
  /** (B * (T - 1)), the token after each but the last of a row */
  readonly targets: Int32Array;
}

interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Plain numbers and arrays, so that a peer needs nothing of ours. */
export interface LoraProblem {
  readonly config: {
    readonly layers: number;
    readonly H: number;
    readonly K: number;
    readonly D: number;
    readonly C: number;
    readonly R: number;
    readonly B: number;
    readonly T: number;
    readonly epsilon: number;
    readonly loraScale: number;
  };
  readonly optimizer: {
    readonly learningRate: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly epsilon: number;
    readonly maxGradNorm: number;
  };
  /** By their names in the checkpoint. */
  readonly weights: ReadonlyMap<string, Values>;
  /** `PATH.lora_A` (R, in) and `PATH.lora_B` (out, R). */
  readonly lora: ReadonlyMap<string, Values>;
  /** (T, D): the half tables twice, as `x * cos + rotateHalf(x) * sin` takes them. */
  readonly rotary: { readonly cos: Float32Array; readonly sin: Float32Array };
  readonly batches: readonly Batch[];
  /** For ours. */
  readonly model: ModelConfig;
  readonly loraConfig: LoraConfig;
  readonly training: TrainingArguments;
  /** The adapter as one flat buffer. */
  readonly initialValues: Float32Array;
}

const BATCHES = 4;
const SEED = 7;

/** A micro-batch of B rows of T tokens. */
export interface BatchShape {
  readonly B: number;
  readonly T: number;
}

/**
 * A LoRA run on a model of this shape with pseudo-random weights: rank 8 on q and v, AdamW, clipping at
 * norm 1, a loss on each token but the first of a row.
 */
export async function loraProblem(
  configText: string,
  { B, T }: BatchShape,
  changes: Partial<LoraConfig> = {},
  args: Partial<TrainingArguments> = {},
): Promise<LoraProblem> {
  const model = parseModelConfig(configText);
  refuseUnwritten(model);
  const loraConfig: LoraConfig = { ...DEFAULT_LORA_CONFIG, r: 8, lora_alpha: 16, ...changes };
  const training: TrainingArguments = {
    ...DEFAULT_TRAINING_ARGUMENTS,
    ...args,
    learning_rate: 2e-4,
    lr_scheduler_type: 'constant',
    per_device_train_batch_size: B,
    shuffle: false,
    max_steps: 1_000_000,
    save_strategy: 'no',
  };
  const random = new Xoshiro128(SEED);
  const weights = new Map<string, Values>();
  for (const { name, shape } of parameterShapes(model)) {
    const data = new Float32Array(elementCount(shape)).fill(1);
    // A norm's weights are ones.
    if (shape.length > 1)
      for (let i = 0; i < data.length; i++) data[i] = (random.nextUnit() - 0.5) * 0.08;
    weights.set(name, { shape, data });
  }
  const layout = layoutAdapter(adaptedModel(model), loraConfig);
  const initialValues = await initAdapter(layout, loraConfig, SEED, () =>
    Promise.resolve(new Float32Array(0)),
  );
  const lora = new Map<string, Values>(
    layout.parameters.map(({ path, kind, shape, offset, count }) => [
      `${path}.${kind}`,
      { shape, data: initialValues.slice(offset, offset + count) },
    ]),
  );
  const batches = Array.from({ length: BATCHES }, () => {
    const ids = Int32Array.from({ length: B * T }, () => random.nextBelow(model.vocabSize));
    return { ids, targets: ids.filter((_, index) => index % T !== 0) };
  });
  return {
    config: {
      layers: model.layerCount,
      H: model.headCount,
      K: model.kvHeadCount,
      D: model.headDim,
      C: model.hiddenSize,
      R: loraConfig.r,
      ...{ B, T },
      epsilon: model.rmsNormEpsilon,
      loraScale: loraScale(loraConfig),
    },
    optimizer: {
      learningRate: training.learning_rate,
      beta1: training.adam_beta1,
      beta2: training.adam_beta2,
      epsilon: training.adam_epsilon,
      maxGradNorm: training.max_grad_norm,
    },
    weights,
    lora,
    rotary: doubledTables(model, T),
    batches,
    model,
    loraConfig,
    training,
    initialValues,
  };
}

/** The peers' step is written for a plain Llama. */
function refuseUnwritten({ qkvBias, qkNorm, mlpBias, slidingWindow, rope }: ModelConfig): void {
  const isPlain = !qkvBias && !qkNorm && !mlpBias && rope.type === 'default';
  if (!isPlain || slidingWindow.some((size) => size !== undefined))
    throw new Error('The bench knows plain Llama shapes only: no biases, q/k norms or windows.');
}

function doubledTables(model: ModelConfig, T: number) {
  const half = ropeTables(model, T);
  const double = (table: Float32Array) => {
    const width = model.headDim / 2;
    return Float32Array.from({ length: T * width * 2 }, (_, index) => {
      const row = Math.floor(index / (2 * width));
      return table[row * width + (index % width)];
    });
  };
  return { cos: double(half.cos), sin: double(half.sin) };
}
