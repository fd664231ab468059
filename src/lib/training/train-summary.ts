/**
 * The entry that the Trainer logs when `train()` ends (transformers/trainer.py, `_finalize_training`): mean loss over
 * all steps, seconds, steps a second. Rounded as its `speed_metrics` rounds. Two things differ: a run that was resumed
 * counts all of its steps, not those since; and the speed is that of the steps taken, where a run ended early. There is
 * no `train_samples_per_second`: nobody has counted the rows.
 */
import type { SummaryLogEntry, TrainerState } from './trainer-state';

export interface Worked {
  /** One for each step of the state. */
  readonly losses: readonly number[];
  readonly elapsedMs: number;
}

/** @returns the state as it is where not every step is known */
export function summarize(state: TrainerState, { losses, elapsedMs }: Worked): TrainerState {
  const { epoch, global_step: step } = state;
  if (step === 0 || losses.length !== step || elapsedMs <= 0) return state;
  const seconds = elapsedMs / 1000;
  const entry: SummaryLogEntry = {
    epoch,
    step,
    total_flos: 0,
    train_loss: losses.reduce((sum, loss) => sum + loss, 0) / step,
    train_runtime: rounded(seconds, 4),
    train_steps_per_second: rounded(step / seconds, 3),
  };
  return { ...state, log_history: [...state.log_history, entry] };
}

const rounded = (value: number, digits: number) => Number(value.toFixed(digits));
