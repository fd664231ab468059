/**
 * The record of a run that goes on: its `TrainerState`, the losses since the last log entry, and what
 * the last step still has to do. Knows no GPU. A run that is resumed goes on with the same record.
 */
import type { TrainingArguments } from '../config';
import { isOutOfPatience, withEvaluation, withSavedCheckpoint } from './best-model';
import { TrainingError } from './errors';
import { dueAfter, logsLate, NOTHING_DUE, type Due } from './flow';
import { epochAfter, type RunShape } from './progress';
import {
  control,
  emptyTrainerState,
  type EvalMetrics,
  type StepLogEntry,
  type TrainerState,
} from './trainer-state';

/** Losses since the last log entry, and what that entry will say of the last step. */
export interface PendingLoss {
  sum: number;
  count: number;
  gradNorm?: number;
  learningRate?: number;
}

export interface StepOutcome {
  loss: number;
  gradNorm: number;
  learningRate: number;
  tokenCount: number;
}

export class RunState {
  private state: TrainerState;
  private pendingLoss: PendingLoss = { sum: 0, count: 0 };
  private due: Due;

  constructor(
    private readonly args: TrainingArguments,
    private readonly shape: RunShape,
    checkpoint?: { state: TrainerState; pendingLoss: PendingLoss },
    private readonly outputDir?: string,
  ) {
    this.state =
      checkpoint?.state ?? emptyTrainerState(args, shape.totalSteps, shape.stepsPerEpoch);
    if (checkpoint) this.pendingLoss = { ...checkpoint.pendingLoss };
    const { should_evaluate } = this.state.stateful_callbacks.TrainerControl.args;
    this.due = NOTHING_DUE;
    this.setDue(
      should_evaluate
        ? { ...this.dueNow(), log: false }
        : { ...NOTHING_DUE, evaluate: !checkpoint && args.eval_on_start },
    );
  }

  get trainerState(): TrainerState {
    return this.state;
  }

  get pending(): PendingLoss {
    return { ...this.pendingLoss };
  }

  get step(): number {
    return this.state.global_step;
  }

  /** What is left to do before the next step. */
  get owed(): Due {
    return this.due;
  }

  /** No step follows: it was the last, or no evaluation was better for too long. */
  get ended(): boolean {
    return this.step >= this.shape.totalSteps || isOutOfPatience(this.state);
  }

  /** @throws TrainingError `diverged` when the loss is no longer a number */
  recordStep({ loss, gradNorm, learningRate, tokenCount }: StepOutcome): StepLogEntry {
    const step = this.step + 1;
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) throw diverged('loss', loss, step);
    const epoch = epochAfter(step, this.shape, this.args.gradient_accumulation_steps);
    this.pendingLoss = {
      sum: this.pendingLoss.sum + loss,
      count: this.pendingLoss.count + 1,
      gradNorm,
      learningRate,
    };
    this.state = {
      ...this.state,
      epoch,
      global_step: step,
      num_input_tokens_seen: this.state.num_input_tokens_seen + tokenCount,
    };
    this.setDue(this.dueNow());
    if (this.due.log && !(this.due.evaluate && logsLate(step, this.args))) this.log();
    return { epoch, grad_norm: gradNorm, learning_rate: learningRate, loss, step };
  }

  /** @throws TrainingError `diverged` */
  recordEvaluation(found: EvalMetrics): EvalMetrics & { epoch: number; step: number } {
    const { epoch, global_step: step } = this.state;
    const { eval_loss, eval_mean_token_accuracy } = found;
    if (!Number.isFinite(eval_loss)) throw diverged('loss of the rows held back', eval_loss, step);
    const entry = { epoch, eval_loss, eval_mean_token_accuracy, step };
    this.state = { ...this.state, log_history: [...this.state.log_history, entry] };
    // The evaluation at the start is a rehearsal: the Trainer does not remember it as the best.
    if (step === 0) this.setDue(NOTHING_DUE);
    else this.judge(found);
    return entry;
  }

  /** The state for the checkpoint that is due; `recordSave` follows when it is written. */
  prepareSave(): void {
    const { state } = this;
    const isSaved = (step: number) =>
      this.args.save_strategy === 'best' || dueAfter(step, this.args, this.shape).save;
    this.state = withSavedCheckpoint(state, isSaved, this.outputDir);
    this.setControl(true);
  }

  recordSave(): void {
    this.setDue({ ...this.due, save: false });
  }

  private judge(found: EvalMetrics): void {
    const { state, isBest } = withEvaluation(this.state, found, this.args);
    this.state = state;
    const { log, save } = this.dueNow();
    const byBest = this.args.save_strategy === 'best' && isBest;
    this.setDue({ log: false, evaluate: false, save: save || byBest || this.ended });
    // What is logged already leaves nothing to log. To stop ends the epoch.
    if (log && this.args.logging_strategy === 'epoch') this.log();
  }

  private dueNow(): Due {
    const { step } = this;
    if (step === 0) return NOTHING_DUE;
    const due = dueAfter(step, this.args, this.shape, isOutOfPatience(this.state));
    return { ...due, save: due.save || this.ended };
  }

  private log(): void {
    const { sum, count, gradNorm = 0, learningRate = 0 } = this.pendingLoss;
    if (count === 0) return;
    const { epoch, global_step: step } = this.state;
    const entry = {
      epoch,
      grad_norm: gradNorm,
      learning_rate: learningRate,
      loss: sum / count,
      step,
    };
    this.state = { ...this.state, log_history: [...this.state.log_history, entry] };
    this.pendingLoss = { sum: 0, count: 0 };
  }

  private setDue(due: Due): void {
    this.due = due;
    this.setControl(false);
  }

  private setControl(saving: boolean): void {
    const TrainerControl = control({
      should_evaluate: this.due.evaluate,
      should_save: saving,
      should_training_stop: this.ended,
    });
    const { stateful_callbacks } = this.state;
    this.state = { ...this.state, stateful_callbacks: { ...stateful_callbacks, TrainerControl } };
  }
}

function diverged(what: string, value: number, step: number): TrainingError {
  return new TrainingError(
    'diverged',
    `The ${what} became ${value} at step ${step}: training diverged. Lower the learning rate and start from the last checkpoint.`,
    { details: { step, loss: value } },
  );
}
