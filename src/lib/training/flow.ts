/** When a run logs, evaluates and saves: what transformers' `DefaultFlowCallback` decides after a step. Pure. */
import { evalStepsOf, type EvalStrategy, type EvaluationArguments } from '../config';
import type { RunShape } from './progress';

/** What is to be done after a step, in this order, but for `logsLate`. */
export interface Due {
  readonly log: boolean;
  readonly evaluate: boolean;
  /** By the strategies `steps` and `epoch`; `best` decides after the evaluation, and the end of a run always saves. */
  readonly save: boolean;
}

export const NOTHING_DUE: Due = { log: false, evaluate: false, save: false };

/**
 * Whether the log of a step follows its evaluation: the Trainer does what is due by epochs after all that is due by
 * steps. Its checkpoints do not wait either: one due by steps at the end of an epoch knows nothing of what the epoch
 * logs and evaluates, which is lost to whoever resumes there. Ours are written last.
 */
export function logsLate(step: number, args: EvaluationArguments): boolean {
  const { logging_strategy, eval_strategy, logging_first_step } = args;
  return (
    logging_strategy === 'epoch' && eval_strategy === 'steps' && !(logging_first_step && step === 1)
  );
}

/** A number of steps, or below 1 a share of all of them. */
export function stepsOf(value: number, totalSteps: number): number {
  return value < 1 ? Math.ceil(totalSteps * value) : value;
}

/**
 * @param step optimiser steps done, from 1
 * @param stopped the run ends here, before its last step: the end of its epoch, then
 */
export function dueAfter(
  step: number,
  args: EvaluationArguments,
  { totalSteps, stepsPerEpoch }: RunShape,
  stopped = false,
): Due {
  const isLast = step >= totalSteps;
  const endsEpoch = isLast || stopped || step % stepsPerEpoch === 0;
  const by = (strategy: EvalStrategy | 'best', every: number, alsoLast: boolean) =>
    (strategy === 'epoch' && endsEpoch) ||
    (strategy === 'steps' && (step % stepsOf(every, totalSteps) === 0 || (alsoLast && isLast)));
  return {
    // The Trainer does not log what is left over at the end.
    log:
      by(args.logging_strategy, args.logging_steps, false) ||
      (args.logging_first_step && step === 1),
    evaluate: by(args.eval_strategy, evalStepsOf(args), true),
    save: by(args.save_strategy, args.save_steps, true),
  };
}
