/**
 * The best evaluation so far and when to stop for want of a better one: what transformers' Trainer
 * (`_determine_best_metric`, `_save_checkpoint`) and its `EarlyStoppingCallback` do. Pure.
 */
import { bestMetricOf, followsBest, type EvaluationArguments } from '../config';
import type { EvalMetrics, TrainerState } from './trainer-state';

/** A checkpoint's folder, as the Trainer names it. */
export function checkpointName(step: number, outputDir = ''): string {
  return `${outputDir && `${outputDir.replace(/\/$/, '')}/`}checkpoint-${step}`;
}

/** Step of a checkpoint by its folder's name or path; undefined for another name. */
export function checkpointStep(name: string): number | undefined {
  const match = /checkpoint-(\d+)$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/** The state after an evaluation, and whether it is the best so far. */
export function withEvaluation(
  state: TrainerState,
  metrics: EvalMetrics,
  args: EvaluationArguments,
): { state: TrainerState; isBest: boolean } {
  if (!followsBest(args)) return { state, isBest: false };
  const { name, greaterIsBetter } = bestMetricOf(args);
  const found = metrics[name];
  const isBetter = (than: number) => (greaterIsBetter ? found > than : found < than);
  const before = state.best_metric;
  // Early stopping looks at the best metric of before.
  const patient =
    before === null ||
    (isBetter(before) && Math.abs(found - before) > args.early_stopping_threshold);
  const after = withPatience(state, patient);
  const isBest = before === null ? Number.isFinite(found) : isBetter(before);
  if (!isBest) return { state: after, isBest };
  const saves = args.save_strategy !== 'no';
  return {
    state: {
      ...after,
      best_metric: found,
      best_global_step: saves ? state.global_step : state.best_global_step,
    },
    isBest,
  };
}

function withPatience(state: TrainerState, improved: boolean): TrainerState {
  const early = state.stateful_callbacks.EarlyStoppingCallback;
  if (!early) return state;
  const count = improved ? 0 : early.attributes.early_stopping_patience_counter + 1;
  return {
    ...state,
    stateful_callbacks: {
      ...state.stateful_callbacks,
      EarlyStoppingCallback: {
        ...early,
        attributes: { early_stopping_patience_counter: count },
      },
    },
  };
}

/** True once as many evaluations in a row as the run is patient for were no better. */
export function isOutOfPatience({ stateful_callbacks }: TrainerState): boolean {
  const early = stateful_callbacks.EarlyStoppingCallback;
  return (
    early !== undefined &&
    early.attributes.early_stopping_patience_counter >= early.args.early_stopping_patience
  );
}

/**
 * The state that a checkpoint of this step takes along: it names the best one that there is.
 * @param isSaved whether the run leaves a checkpoint at an earlier step
 * @param outputDir of the checkpoints' folders
 */
export function withSavedCheckpoint(
  state: TrainerState,
  isSaved: (step: number) => boolean,
  outputDir?: string,
): TrainerState {
  const { best_global_step: best, global_step } = state;
  if (best === null || (best !== global_step && !isSaved(best))) return state;
  return { ...state, best_model_checkpoint: checkpointName(best, outputDir) };
}
