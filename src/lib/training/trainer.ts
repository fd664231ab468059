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
  has8bitMoments,
  requireConsistentEvaluation,
  startsFromWeights,
  type TrainingArguments,
} from '../config';
import { adaptedModel, countParameters } from '../decoder';
import { ReadbackRing, type Gpu } from '../gpu';
import { uploadStepState } from '../kernels/step-state';
import {
  AdapterState,
  initAdapter,
  layoutAdapter,
  type AdapterLayout,
  type LoadedAdapter,
} from '../peft';
import { collate, countTargets, paddedLength, type TokenRow } from './batches';
import { adapterOf } from './adapter-of';
import { checkpointStep } from './best-model';
import { embeddingNoiseScale, microBatchSeed } from './draws';
import { TrainingError } from './errors';
import { Evaluation } from './evaluation';
import { Optimizer } from './optimizer';
import { epochSteps, runShape, type RunShape } from './progress';
import type { Checkpoint, RunOptions, StepReport, TrainerOptions } from './run-options';
import { evaluatedRows, trainedRows } from './run-rows';
import { RunState } from './run-state';
import { learningRateAt } from './schedule';
import { StepPlans } from './step-plans';
import type { TrainerState } from './trainer-state';

export class Trainer {
  readonly layout: AdapterLayout;
  readonly shape: RunShape;
  readonly allParams: number;
  private readonly record: RunState;
  private epoch: { number: number; steps: number[][][] } | undefined;
  private inStep = false;

  private constructor(
    private readonly options: TrainerOptions,
    /** The adapter as it is after the last step; inference may bind its tensors. */
    readonly adapter: AdapterState,
    /** Where PiSSA and OLoRA started. */
    private readonly initial: Float32Array | undefined,
    private readonly plans: StepPlans,
    private readonly optimizer: Optimizer,
    private readonly ring: ReadbackRing,
    private readonly evaluation: Evaluation | undefined,
  ) {
    const { args, rows, config, checkpoint } = options;
    this.layout = adapter.layout;
    this.shape = runShape(rows.length, args);
    const added = options.peft.peft_type === 'FULL' ? 0 : adapter.layout.trainableCount;
    this.allParams = countParameters(config) + added;
    this.record = new RunState(args, this.shape, checkpoint, options.outputDir);
  }

  /**
   * Allocates all that the run needs and compiles its largest plans.
   * @throws TrainingError `no-rows`, `no-eval-rows`, `no-targets`, `too-long`, `wrong-checkpoint`, `no-f16`;
   *   ConfigError for options that contradict each other; GpuError `out-of-memory`, `limit`; AbortError
   */
  static async create(options: TrainerOptions): Promise<Trainer> {
    const { gpu, config, weights, peft, args, checkpoint } = options;
    checkRecipe(peft, args);
    requireConsistentEvaluation(args, 'training arguments');
    requireF16(gpu, args);
    const rows = trainedRows(options);
    const evalRows = evaluatedRows(options);
    const layout = layoutAdapter(adaptedModel(config), peft);
    const values =
      checkpoint?.values ??
      options.initialValues ??
      (await initAdapter(layout, peft, args.seed, (name) => weights.readFloats(name), {
        signal: options.signal,
        onProgress: options.onInit,
      }));
    requireParameters(layout, values);
    const factored = peft.peft_type === 'LORA' && startsFromWeights(peft);
    const initial = factored ? (checkpoint?.initial ?? factorsOnly(layout, values)) : undefined;
    const made: { dispose(): void }[] = [];
    const own = <Part extends { dispose(): void }>(part: Part): Part => {
      made.push(part);
      return part;
    };
    try {
      const adapter = own(
        new AdapterState(gpu, layout, peft, values, {
          ...{ trainable: true, initial, moments: !has8bitMoments(args) },
        }),
      );
      const maxLength = paddedLength([...rows, ...evalRows]);
      const plans = own(
        new StepPlans({
          gpu,
          config,
          weights,
          adapter,
          maxLength,
          training: true,
          gradientCheckpointing: args.gradient_checkpointing,
          labelSmoothing: args.label_smoothing_factor,
          packing: args.packing,
          embeddingNoise: args.neftune_noise_alpha !== null,
          fp16: args.fp16,
        }),
      );
      const B = Math.min(rows.length, args.per_device_train_batch_size);
      await plans.planFor({ B, T: paddedLength(rows) });
      await plans.prepare();
      options.signal?.throwIfAborted();
      const optimizer = own(await Optimizer.create(gpu, adapter, args, plans.step, plans.total));
      if (checkpoint) optimizer.writeState(checkpoint.moments);
      const ring = own(new ReadbackRing(gpu, [plans.total, optimizer.norm]));
      await gpu.checked('readback buffers', () => undefined);
      const evaluation =
        evalRows.length > 0
          ? own(new Evaluation(gpu, plans, evalRows, args.per_device_eval_batch_size))
          : undefined;
      await evaluation?.prepare();
      return new Trainer(
        { ...options, rows },
        adapter,
        initial,
        plans,
        optimizer,
        ring,
        evaluation,
      );
    } catch (error) {
      for (const part of made.reverse()) part.dispose();
      throw error;
    }
  }

  get step(): number {
    return this.record.step;
  }

  /** Parameters, moments and record are those of one step: false once an error has broken a step off. */
  get isWhole(): boolean {
    return !this.inStep;
  }

  /** GPU memory by part; weights, inputs and what the optimiser's own kernels need are not in it. */
  get memory(): { adapter: number; optimizer: number; activations: number } {
    return {
      adapter: this.adapter.parameterBytes,
      optimizer: this.optimizer.stateBytes,
      activations: this.plans.activationBytes,
    };
  }

  get trainerState(): TrainerState {
    return this.record.trainerState;
  }

  /** After the last step, or after the one at which early stopping ended the run, and its evaluation. */
  get finished(): boolean {
    return this.record.ended && !this.record.owed.evaluate;
  }

  /**
   * Runs until the end or until the signal aborts, which ends it after the current step; an evaluation
   * that this leaves undone is the first thing that a resumed run does.
   * @throws TrainingError `diverged` when the loss is no longer a number; GpuError
   */
  async run(options: RunOptions = {}): Promise<void> {
    const { signal, gate, onStep, afterStep } = options;
    const { load_best_model_at_end } = this.options.args;
    if (load_best_model_at_end && options.onCheckpoint && !options.loadCheckpoint)
      throw new RangeError('load_best_model_at_end needs loadCheckpoint.');
    await this.settle(options);
    while (!this.record.ended && !signal?.aborted) {
      await gate?.();
      if (signal?.aborted) break;
      this.inStep = true;
      const report = await this.runStep();
      this.inStep = false;
      onStep?.(report);
      await this.settle(options);
      await afterStep?.(this.step);
    }
    if (this.finished && load_best_model_at_end) await this.loadBest(options);
  }

  async checkpoint(): Promise<Checkpoint> {
    return {
      values: await this.adapter.readParameters(),
      initial: this.initial,
      moments: await this.optimizer.readState(),
      state: structuredClone(this.trainerState),
      pendingLoss: this.record.pending,
    };
  }

  /** The adapter as it is now, as the world knows it. */
  async loadedAdapter(): Promise<LoadedAdapter> {
    const { peft, config } = this.options;
    const values = await this.adapter.readParameters();
    return adapterOf({ values, initial: this.initial }, peft, adaptedModel(config));
  }

  dispose(): void {
    this.evaluation?.dispose();
    this.ring.dispose();
    this.optimizer.dispose();
    this.plans.dispose();
    this.adapter.dispose();
  }

  /** Evaluates and saves, as the step before has it. */
  private async settle({ signal, onEvaluate, onCheckpoint }: RunOptions): Promise<void> {
    if (this.record.owed.evaluate && this.evaluation) {
      const started = performance.now();
      const found = await this.evaluation.measure(signal);
      if (!found) return;
      const entry = this.record.recordEvaluation(found);
      onEvaluate?.({ ...entry, elapsedMs: performance.now() - started });
    }
    if (!this.record.owed.save || !onCheckpoint) return;
    this.record.prepareSave();
    await onCheckpoint(await this.checkpoint());
    this.record.recordSave();
  }

  /** The parameters of the best checkpoint; those of the end where no checkpoint was the best. */
  private async loadBest({ loadCheckpoint }: RunOptions): Promise<void> {
    const step = checkpointStep(this.trainerState.best_model_checkpoint ?? '');
    if (step === undefined || step === this.step || !loadCheckpoint) return;
    const best = await loadCheckpoint(step);
    if (!best) return;
    requireParameters(this.layout, best.values);
    this.options.gpu.upload(this.adapter.params, best.values);
  }

  /** Micro-batches of the step to come; an epoch is laid out once. */
  private rowsOfStep(): TokenRow[][] {
    const { args, rows } = this.options;
    const { stepsPerEpoch } = this.shape;
    const epoch = Math.floor(this.step / stepsPerEpoch);
    if (this.epoch?.number !== epoch) {
      const lengths = rows.map(({ inputIds }) => inputIds.length);
      this.epoch = { number: epoch, steps: epochSteps(rows.length, args, epoch, lengths) };
    }
    return this.epoch.steps[this.step % stepsPerEpoch].map((indices) =>
      indices.map((index) => rows[index]),
    );
  }

  private async runStep(): Promise<StepReport> {
    const { gpu, args, config } = this.options;
    const started = performance.now();
    const group = this.rowsOfStep();
    const targetCount = group.flat().reduce((sum, row) => sum + countTargets(row), 0);
    const learningRate = learningRateAt(args, this.step, this.shape.totalSteps);
    const t = this.step + 1;
    const shared = {
      ...gradientScale(targetCount, args),
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
      const dropoutSeed = microBatchSeed(args.seed, this.step, index);
      const { targetCount } = batch;
      const noiseScale = embeddingNoiseScale(args, batch.longest, config.hiddenSize);
      accepted.push(plan.submit(batch, { ...shared, dropoutSeed, targetCount, noiseScale }));
    }
    accepted.push(
      gpu.submitChecked('end step', () => {
        uploadStepState(gpu, this.plans.step, { ...shared, dropoutSeed: 0, targetCount: 0 });
        this.optimizer.submitEnd();
      }),
    );
    const [[total, gradNorm]] = await Promise.all([this.ring.read(), ...accepted]);
    const loss = targetCount > 0 ? total / targetCount : 0;
    const entry = this.record.recordStep({ loss, gradNorm, learningRate, tokenCount });
    return { ...entry, targetCount, tokenCount, elapsedMs: performance.now() - started };
  }
}

/** The start of A and B alone: biases are trained beside them and nothing is taken away for them. */
function factorsOnly(layout: AdapterLayout, values: Float32Array): Float32Array {
  const initial = values.slice();
  for (const { kind, offset, count } of layout.parameters)
    if (kind === 'bias') initial.fill(0, offset, offset + count);
  return initial;
}

/**
 * What gradients carry while they are computed: with fp16, the gradient of a token's loss times 128 to 256, a power of two
 * away from the truth. Far from the largest f16, 65504, and six digits above where its numbers end.
 */
function gradientScale(targetCount: number, { fp16 }: TrainingArguments) {
  if (targetCount === 0) return { lossScale: 0, gradUnscale: 1 };
  const scale = fp16 ? 2 ** (8 + Math.floor(Math.log2(targetCount))) : 1;
  return { lossScale: scale / targetCount, gradUnscale: 1 / scale };
}

/** @throws TrainingError `no-f16` */
function requireF16({ features, adapterName }: Gpu, { fp16 }: TrainingArguments): void {
  if (fp16 && !features.f16)
    throw new TrainingError(
      'no-f16',
      `fp16 needs a GPU that computes in 16 bits (shader-f16), and ${adapterName} does not. Turn fp16 off.`,
      { details: { adapter: adapterName } },
    );
}

/** @throws TrainingError `wrong-checkpoint` */
function requireParameters(layout: AdapterLayout, values: Float32Array): void {
  if (values.length !== layout.flatCount)
    throw new TrainingError(
      'wrong-checkpoint',
      `The checkpoint holds ${values.length} parameters, these settings make ${layout.flatCount}. Resume with the settings that it was made with.`,
      { details: { found: values.length, allowed: layout.flatCount } },
    );
}
