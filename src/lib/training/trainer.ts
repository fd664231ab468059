/**
 * The training loop, with the arithmetic of transformers' Trainer: the loss of an accumulated batch
 * is the sum over all its targets by their number, the norm is clipped as a whole, AdamW steps, the
 * schedule moves once a step. Knows neither files nor pages: rows in, events and parameters out.
 *
 * A step is a function of (parameters, moments, rows, seed, step number) alone, so a run that is
 * resumed from a checkpoint ends in the same bits.
 */
import {
  checkRecipe,
  startsFromWeights,
  type ModelConfig,
  type PeftConfig,
  type TrainingArguments,
} from '../config';
import { adaptedModel, countParameters, type ModelWeights } from '../decoder';
import { ReadbackRing, type Gpu } from '../gpu';
import { uploadStepState } from '../kernels/step-state';
import {
  AdapterState,
  initAdapter,
  layoutAdapter,
  type AdapterLayout,
  type LoadedAdapter,
  type OptimizerMoments,
} from '../peft';
import { checkRows, collate, countTargets, paddedLength, type TokenRow } from './batches';
import { adapterOf } from './adapter-of';
import { TrainingError } from './errors';
import { Optimizer } from './optimizer';
import { epochAfter, runShape, stepRows, type RunShape } from './progress';
import { learningRateAt } from './schedule';
import { StepPlans } from './step-plans';
import { emptyTrainerState, type LogEntry, type TrainerState } from './trainer-state';

/** Everything that a run needs to go on where it stood. */
export interface Checkpoint {
  /** Flat parameters, in the order of the adapter's layout. */
  readonly values: Float32Array;
  /** What they were at the start, where that was taken out of the weights (PiSSA, OLoRA). */
  readonly initial?: Float32Array;
  readonly moments: OptimizerMoments;
  readonly state: TrainerState;
  /** Sum and number of the losses since the last log entry. */
  readonly pendingLoss: { sum: number; count: number };
}

export interface StepReport extends LogEntry {
  /** Targets in this step's batch. */
  targetCount: number;
  tokenCount: number;
  elapsedMs: number;
}

export interface TrainerOptions {
  gpu: Gpu;
  config: ModelConfig;
  weights: ModelWeights;
  peft: PeftConfig;
  args: TrainingArguments;
  rows: readonly TokenRow[];
  /** Flat parameters to start from; PEFT's initialisation when left out. */
  initialValues?: Float32Array;
  /** While the initial parameters are made, which takes a while where weights are factored. */
  onInit?: (done: number, total: number) => void;
  signal?: AbortSignal;
  checkpoint?: Checkpoint;
}

export interface RunOptions {
  signal?: AbortSignal;
  /** Awaited before each step: pausing is a promise that waits. */
  gate?: () => Promise<void> | undefined;
  onStep?: (report: StepReport) => void;
  /** Awaited at the end of each epoch, every `save_steps`, or not at all, as `save_strategy` says. */
  onCheckpoint?: (checkpoint: Checkpoint) => Promise<void>;
  /** Awaited after a step's parameters are final; nothing is under way on the GPU then. */
  afterStep?: (step: number) => Promise<void> | undefined;
}

export class Trainer {
  readonly layout: AdapterLayout;
  readonly shape: RunShape;
  readonly allParams: number;
  private state: TrainerState;
  private pending = { sum: 0, count: 0 };

  private constructor(
    private readonly options: TrainerOptions,
    /** The adapter as it is after the last step; inference may bind its tensors. */
    readonly adapter: AdapterState,
    /** Where PiSSA and OLoRA started. */
    private readonly initial: Float32Array | undefined,
    private readonly plans: StepPlans,
    private readonly optimizer: Optimizer,
    private readonly ring: ReadbackRing,
  ) {
    const { args, rows, config, checkpoint } = options;
    this.layout = adapter.layout;
    this.shape = runShape(rows.length, args);
    const added = options.peft.peft_type === 'FULL' ? 0 : adapter.layout.trainableCount;
    this.allParams = countParameters(config) + added;
    this.state =
      checkpoint?.state ?? emptyTrainerState(args, this.shape.totalSteps, this.shape.stepsPerEpoch);
    if (checkpoint) this.pending = { ...checkpoint.pendingLoss };
  }

  /**
   * Allocates all that the run needs and compiles its largest plan.
   * @throws ConfigError for options that do not go together; TrainingError `no-rows`, `no-targets`, `too-long`, `wrong-checkpoint`; GpuError `out-of-memory`, `limit`
   */
  static async create(options: TrainerOptions): Promise<Trainer> {
    const { gpu, config, weights, peft, args, rows, checkpoint } = options;
    checkRecipe(peft, args);
    const prefix = peft.peft_type === 'PREFIX_TUNING' ? peft.num_virtual_tokens : 0;
    checkRows(rows, config.vocabSize, config.maxPositionEmbeddings - prefix);
    const layout = layoutAdapter(adaptedModel(config), peft);
    const values =
      checkpoint?.values ??
      options.initialValues ??
      (await initAdapter(layout, peft, args.seed, (name) => weights.readFloats(name), {
        signal: options.signal,
        onProgress: options.onInit,
      }));
    checkCheckpoint(layout, values, checkpoint);
    const made: { dispose(): void }[] = [];
    const own = <Part extends { dispose(): void }>(part: Part): Part => {
      made.push(part);
      return part;
    };
    const factored = peft.peft_type === 'LORA' && startsFromWeights(peft);
    const initial = factored ? (checkpoint?.initial ?? factorsOnly(layout, values)) : undefined;
    try {
      const adapter = own(
        new AdapterState(gpu, layout, peft, values, { trainable: true, initial }),
      );
      const maxLength = paddedLength(rows);
      const training = { gpu, config, weights, adapter, maxLength, training: true };
      const plans = own(new StepPlans(training));
      if (checkpoint) adapter.writeMoments(checkpoint.moments);
      const B = Math.min(rows.length, args.per_device_train_batch_size);
      await plans.planFor({ B, T: maxLength });
      await plans.prepare();
      const optimizer = own(await Optimizer.create(gpu, adapter, args, plans.step, plans.total));
      const ring = own(new ReadbackRing(gpu, [plans.total, optimizer.norm]));
      await gpu.checked('readback buffers', () => undefined);
      return new Trainer(options, adapter, initial, plans, optimizer, ring);
    } catch (error) {
      for (const part of made.reverse()) part.dispose();
      throw error;
    }
  }

  get step(): number {
    return this.state.global_step;
  }

  /** GPU memory by part; weights, inputs and what the optimiser's own kernels need are not in it. */
  get memory(): { adapter: number; optimizer: number; activations: number } {
    const { params, training } = this.adapter;
    return {
      adapter: params.sizeBytes,
      optimizer: Object.values(training ?? {}).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      activations: this.plans.activationBytes,
    };
  }

  get trainerState(): TrainerState {
    return this.state;
  }

  /**
   * Runs until the last step or until the signal aborts, which ends it after the current step.
   * @throws TrainingError `diverged` when the loss is no longer a number; GpuError
   */
  async run({ signal, gate, onStep, onCheckpoint, afterStep }: RunOptions = {}): Promise<void> {
    const { totalSteps, stepsPerEpoch } = this.shape;
    const { args } = this.options;
    while (this.step < totalSteps && !signal?.aborted) {
      await gate?.();
      if (signal?.aborted) break;
      const report = await this.runStep();
      onStep?.(report);
      await afterStep?.(this.step);
      const due =
        args.save_strategy === 'epoch'
          ? this.step % stepsPerEpoch === 0
          : args.save_strategy === 'steps' && this.step % args.save_steps === 0;
      if (onCheckpoint && (due || this.step === totalSteps))
        await onCheckpoint(await this.checkpoint());
    }
  }

  async checkpoint(): Promise<Checkpoint> {
    return {
      values: await this.adapter.readParameters(),
      initial: this.initial,
      moments: await this.adapter.readMoments(),
      state: structuredClone(this.state),
      pendingLoss: { ...this.pending },
    };
  }

  /** The adapter as it is now, as the world knows it. */
  async loadedAdapter(): Promise<LoadedAdapter> {
    const { peft, config } = this.options;
    const values = await this.adapter.readParameters();
    return adapterOf({ values, initial: this.initial }, peft, adaptedModel(config));
  }

  dispose(): void {
    this.ring.dispose();
    this.optimizer.dispose();
    this.plans.dispose();
    this.adapter.dispose();
  }

  private async runStep(): Promise<StepReport> {
    const { gpu, args, rows } = this.options;
    const started = performance.now();
    const group = stepRows(rows.length, args, this.step).map((indices) =>
      indices.map((index) => rows[index]),
    );
    const targetCount = group.flat().reduce((sum, row) => sum + countTargets(row), 0);
    const learningRate = learningRateAt(args, this.step, this.shape.totalSteps);
    const t = this.step + 1;
    const shared = {
      lossScale: targetCount > 0 ? 1 / targetCount : 0,
      learningRate,
      biasCorrection1: 1 / (1 - args.adam_beta1 ** t),
      biasCorrection2: 1 / Math.sqrt(1 - args.adam_beta2 ** t),
    };
    const accepted: Promise<void>[] = [];
    let tokenCount = 0;
    accepted.push(gpu.submitChecked('begin step', () => this.optimizer.submitBegin()));
    accepted.push(this.plans.submitPreparation());
    for (const [index, batchRows] of group.entries()) {
      const batch = collate(batchRows);
      tokenCount += batch.tokenCount;
      const plan = await this.plans.planFor(batch);
      const dropoutSeed = mixSeed(args.seed, this.step, index);
      accepted.push(plan.submit(batch, { ...shared, dropoutSeed, targetCount: batch.targetCount }));
    }
    accepted.push(
      gpu.submitChecked('end step', () => {
        uploadStepState(gpu, this.plans.step, { ...shared, dropoutSeed: 0, targetCount: 0 });
        this.optimizer.submitEnd();
      }),
    );
    const [[total, gradNorm]] = await Promise.all([this.ring.read(), ...accepted]);
    const loss = targetCount > 0 ? total / targetCount : 0;
    const report = this.record(loss, gradNorm, learningRate, tokenCount);
    return { ...report, targetCount, tokenCount, elapsedMs: performance.now() - started };
  }

  private record(loss: number, gradNorm: number, learningRate: number, tokenCount: number) {
    const { args } = this.options;
    const step = this.step + 1;
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm))
      throw new TrainingError(
        'diverged',
        `The loss became ${loss} at step ${step}: training diverged. Lower the learning rate and start from the last checkpoint.`,
        { details: { step, loss } },
      );
    const epoch = epochAfter(step, this.shape, args.gradient_accumulation_steps);
    const report = { epoch, grad_norm: gradNorm, learning_rate: learningRate, loss, step };
    this.pending = { sum: this.pending.sum + loss, count: this.pending.count + 1 };
    const logHistory = [...this.state.log_history];
    if (step % args.logging_steps === 0 || step === this.shape.totalSteps) {
      logHistory.push({ ...report, loss: this.pending.sum / this.pending.count });
      this.pending = { sum: 0, count: 0 };
    }
    this.state = {
      ...this.state,
      epoch,
      global_step: step,
      num_input_tokens_seen: this.state.num_input_tokens_seen + tokenCount,
      log_history: logHistory,
    };
    return report;
  }
}

/** The start of A and B alone: biases are trained beside them and nothing is taken away for them. */
function factorsOnly(layout: AdapterLayout, values: Float32Array): Float32Array {
  const initial = values.slice();
  for (const { kind, offset, count } of layout.parameters)
    if (kind === 'bias') initial.fill(0, offset, offset + count);
  return initial;
}

function checkCheckpoint(
  layout: AdapterLayout,
  values: Float32Array,
  checkpoint?: Checkpoint,
): void {
  const lengths = [values, checkpoint?.moments.m, checkpoint?.moments.v];
  if (lengths.some((array) => array && array.length !== layout.flatCount))
    throw new TrainingError(
      'wrong-checkpoint',
      `The checkpoint holds ${values.length} parameters, these settings make ${layout.flatCount}. Resume with the settings that it was made with.`,
      { details: { found: values.length, allowed: layout.flatCount } },
    );
}

/** One seed for each micro-batch of the run: a finaliser (murmur3's) over its coordinates. */
function mixSeed(seed: number, step: number, index: number): number {
  let h = (seed ^ Math.imul(step + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca77)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
