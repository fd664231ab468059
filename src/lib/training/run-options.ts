/** What a run is given, what it tells on the way, and what it leaves to go on from. */
import type { ModelConfig, PeftConfig, TrainingArguments } from '../config';
import type { ModelWeights } from '../decoder';
import type { Gpu } from '../gpu';
import type { TokenRow } from './batches';
import type { OptimizerState } from './moments-8bit';
import type { PendingLoss } from './run-state';
import type { EvalMetrics, StepLogEntry, TrainerState } from './trainer-state';

/** Everything that a run needs to go on where it stood. */
export interface Checkpoint {
  /** Flat parameters, in the order of the adapter's layout. */
  readonly values: Float32Array;
  /** What they were at the start, where that was taken out of the weights (PiSSA, OLoRA). */
  readonly initial?: Float32Array;
  readonly moments: OptimizerState;
  readonly state: TrainerState;
  /** Losses since the last log entry. */
  readonly pendingLoss: PendingLoss;
}

export interface StepReport extends StepLogEntry {
  /** Targets in this step's batch. */
  targetCount: number;
  tokenCount: number;
  elapsedMs: number;
}

export interface EvalReport extends EvalMetrics {
  epoch: number;
  step: number;
  elapsedMs: number;
}

export interface TrainerOptions {
  gpu: Gpu;
  config: ModelConfig;
  weights: ModelWeights;
  peft: PeftConfig;
  args: TrainingArguments;
  rows: readonly TokenRow[];
  /** Held back; needed where `args` ask for evaluations. */
  evalRows?: readonly TokenRow[];
  /** Flat parameters to start from; PEFT's initialisation when left out. */
  initialValues?: Float32Array;
  /** While the initial parameters are made, which takes a while where weights are factored. */
  onInit?: (done: number, total: number) => void;
  signal?: AbortSignal;
  checkpoint?: Checkpoint;
  /** Where the checkpoints' folders lie, for the name of the best one in the record. */
  outputDir?: string;
}

export interface RunOptions {
  signal?: AbortSignal;
  /** Awaited before each step: pausing is a promise that waits. */
  gate?: () => Promise<void> | undefined;
  onStep?: (report: StepReport) => void;
  onEvaluate?: (report: EvalReport) => void;
  /** Awaited when `save_strategy` says so, after the step's evaluation, and at the end of the run. */
  onCheckpoint?: (checkpoint: Checkpoint) => Promise<void>;
  /**
   * Reads back the parameters that `onCheckpoint` was given at a step, undefined when they are gone; needed
   * by `load_best_model_at_end`.
   */
  loadCheckpoint?: (step: number) => Promise<Pick<Checkpoint, 'values'> | undefined>;
  /** Awaited after a step's parameters are final; nothing is under way on the GPU then. */
  afterStep?: (step: number) => Promise<void> | undefined;
}
