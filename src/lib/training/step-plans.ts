/**
 * GPU plans of a run: one for each batch shape, all in one arena, made when a shape first comes.
 * A plan's inputs are small buffers that are written before it is submitted.
 */
import { linearSites, type ModelConfig } from '../config';
import { ropeTables } from '../config/rope';
import {
  Decoder,
  prefixLength,
  prepareAdapter,
  type Adapter,
  type BatchTensors,
  type ModelWeights,
} from '../decoder';
import { Arena, PlanBuilder, type Gpu, type Plan, type Tensor } from '../gpu';
import { sumLoss } from '../kernels/cross-entropy';
import { countCorrect } from '../kernels/cross-entropy-count';
import { chooseVariants } from '../kernels/choose-variants';
import { uniformNoise } from '../kernels/noise';
import { createStepState, uploadStepState, type StepState } from '../kernels/step-state';
import type { MicroBatch } from './batches';

/** The plan of one batch shape. */
export interface ShapePlan {
  /**
   * Submits one micro-batch; its losses are added to `total`, its gradients to the adapter's; of an evaluation, what is
   * right to `correct`.
   * The promise tells when the device has accepted it, not when it is done.
   */
  submit(batch: MicroBatch, state: StepState): Promise<void>;
  dispose(): void;
}

export interface StepPlansOptions {
  gpu: Gpu;
  config: ModelConfig;
  weights: ModelWeights;
  adapter: Adapter;
  /** Longest padded row of all that will come. */
  maxLength: number;
  /** False: forward and loss only. */
  training: boolean;
  /** Layers are computed again in backward instead of kept. */
  gradientCheckpointing?: boolean;
  /** `label_smoothing_factor`, of evaluation too. */
  labelSmoothing?: number;
  /** The rows trained on are packed; those of evaluations are not. */
  packing?: boolean;
  /** Noise of the step state's scale on the embeddings of training. */
  embeddingNoise?: boolean;
  /** `fp16`, of evaluation too. */
  fp16?: boolean;
}

export class StepPlans {
  /** Sum of the losses of all targets since `total` was last cleared, (1). */
  readonly total: Tensor;
  /** Targets of evaluations that the model has right since it was last cleared, (1) u32. */
  readonly correct: Tensor;
  /** StepState that every plan of the run reads. */
  readonly step: Tensor;
  private readonly arena: Arena;
  private readonly cos: Tensor;
  private readonly sin: Tensor;
  private readonly shapes = new Map<string, Promise<ShapePlan>>();
  private readonly owned: Tensor[] = [];
  private preparation: Plan | undefined;

  constructor(private readonly options: StepPlansOptions) {
    const { gpu, config, adapter, maxLength } = options;
    this.arena = new Arena(gpu, 'step');
    this.step = createStepState(gpu);
    this.total = gpu.createTensor('loss total', [1]);
    this.correct = gpu.createTensor('correct total', [1], 'u32');
    // The positions of a prefix come first.
    const first = prefixLength(adapter.prefix);
    const tables = ropeTables(config, first + maxLength);
    const half = config.headDim / 2;
    const table = (name: 'cos' | 'sin') =>
      gpu.createTensor(
        `rotary ${name}`,
        [maxLength, half],
        'f32',
        tables[name].subarray(first * half),
      );
    this.cos = table('cos');
    this.sin = table('sin');
    this.owned.push(this.step, this.total, this.correct, this.cos, this.sin);
  }

  /** GPU memory of what forward keeps for backward, and of all that lies between two kernels. */
  get activationBytes(): number {
    return this.arena.sizeBytes;
  }

  /** GPU memory of activations and inputs. */
  get gpuBytes(): number {
    return this.owned.reduce((sum, { sizeBytes }) => sum + sizeBytes, this.activationBytes);
  }

  /**
   * The plan of a shape, built when first asked for; the largest first wastes no memory.
   * @param training false: forward and loss only, whatever else these plans are for
   */
  planFor(
    { B, T }: { B: number; T: number },
    training = this.options.training,
  ): Promise<ShapePlan> {
    const key = `${training ? 'train' : 'evaluate'} ${B}x${T}`;
    let shape = this.shapes.get(key);
    if (!shape) {
      shape = this.buildPlan(B, T, training);
      this.shapes.set(key, shape);
    }
    return shape;
  }

  /** Builds what `submitPreparation` runs; awaited once, before the first batch. */
  async prepare(): Promise<void> {
    const { gpu, config, weights, adapter } = this.options;
    const builder = new PlanBuilder(gpu, 'prepare adapter');
    prepareAdapter(builder, linearSites(config), weights, adapter);
    if (builder.dispatchCount > 0) this.preparation = await builder.build(this.arena);
  }

  /** Computes what batches need of the adapter's parameters; to be called whenever they have changed. */
  async submitPreparation(): Promise<void> {
    const plan = this.preparation;
    if (plan) await this.options.gpu.submitChecked(plan.label, () => plan.submit());
  }

  dispose(): void {
    this.preparation?.dispose();
    for (const shape of this.shapes.values())
      void shape.then(
        (plan) => plan.dispose(),
        () => undefined,
      );
    for (const tensor of this.owned) this.options.gpu.destroyTensor(tensor);
    this.arena.dispose();
  }

  private async buildPlan(B: number, T: number, training: boolean): Promise<ShapePlan> {
    const { gpu, config, weights, adapter, fp16 } = this.options;
    const { gradientCheckpointing, labelSmoothing } = this.options;
    const packing = training && this.options.packing;
    const noisy = training && this.options.embeddingNoise;
    await chooseVariants(gpu);
    const integers = (label: string, dtype: 'i32' | 'u32' = 'i32') => {
      const tensor = gpu.createTensor(`${label} ${B}x${T}`, [B * T], dtype);
      this.owned.push(tensor);
      return tensor;
    };
    const batch: BatchTensors = {
      B,
      T,
      ids: integers('ids'),
      rowIndex: integers('rowIndex'),
      targets: integers('targets'),
      segments: packing
        ? { positions: integers('positions'), firstKeys: integers('firstKeys', 'u32') }
        : undefined,
    };
    const builder = new PlanBuilder(gpu, `${training ? 'train' : 'evaluate'} ${B}x${T}`);
    const rotary = { cos: this.cos, sin: this.sin };
    const embeddingNoise = noisy
      ? uniformNoise(builder, {
          label: '/model/embed_tokens',
          shape: [B * T, config.hiddenSize],
          step: this.step,
        })
      : undefined;
    const decoder = new Decoder(
      builder,
      {
        config,
        weights,
        adapter,
        rotary,
        batch,
        step: this.step,
        gradientCheckpointing,
        labelSmoothing,
        embeddingNoise,
        fp16,
      },
      training,
    );
    const loss = builder.tensor('loss', [B * T]);
    if (training) decoder.train(loss);
    else {
      const correct = builder.tensor('correct', [B * T], 'u32');
      decoder.evaluate(loss, correct);
      countCorrect(builder, { label: '/loss/correct', correct, total: this.correct });
    }
    sumLoss(builder, { label: '/loss/total', loss, total: this.total });
    // A layer that is computed again gives its output to nobody.
    if (gradientCheckpointing) builder.dropUnread();
    return this.shapePlan(await builder.build(this.arena), batch);
  }

  private shapePlan(plan: Plan, inputs: BatchTensors): ShapePlan {
    const { gpu } = this.options;
    return {
      submit: (batch, state) =>
        gpu.submitChecked(plan.label, () => {
          gpu.upload(inputs.ids, batch.ids);
          gpu.upload(inputs.rowIndex, batch.rowIndex);
          gpu.upload(inputs.targets, batch.targets);
          if (inputs.segments && batch.segments) {
            gpu.upload(inputs.segments.positions, batch.segments.positions);
            gpu.upload(inputs.segments.firstKeys, batch.segments.firstKeys);
          }
          uploadStepState(gpu, this.step, state);
          plan.submit();
        }),
      dispose: () => plan.dispose(),
    };
  }
}
