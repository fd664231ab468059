/** A run's log, or its events, as points of curves; the two are read alike. */
import type { EvalLogEntry, LogEntry, RunSummary } from '../rpc/engine-api';

export interface Point {
  step: number;
  loss: number;
  gradNorm: number;
  learningRate: number;
  /** Undefined in records of older versions. */
  tokensPerSecond?: number;
}

export interface EvalPoint {
  step: number;
  evalLoss: number;
  /** Share of the targets that the model has right; undefined in records of older versions. */
  tokenAccuracy?: number;
}

type Logged = LogEntry | EvalLogEntry;

export const pointsOf = (log: readonly Logged[]): Point[] =>
  log
    .filter((entry) => 'loss' in entry)
    .map(({ step, loss, grad_norm, learning_rate, tokens_per_second }) => ({
      step,
      loss,
      gradNorm: grad_norm,
      learningRate: learning_rate,
      tokensPerSecond: tokens_per_second,
    }));

export const evalPointsOf = (log: readonly Logged[]): EvalPoint[] =>
  log
    .filter((entry) => 'eval_loss' in entry)
    .map(({ step, eval_loss, eval_mean_token_accuracy }) => ({
      step,
      evalLoss: eval_loss,
      tokenAccuracy: eval_mean_token_accuracy,
    }));

/** The first of the lowest; undefined where the run did not evaluate itself. */
export const bestEvalOf = (evals: readonly EvalPoint[]): EvalPoint | undefined =>
  evals.reduce<EvalPoint | undefined>(
    (best, point) => (best && best.evalLoss <= point.evalLoss ? best : point),
    undefined,
  );

export interface AccuracyPoint {
  step: number;
  tokenAccuracy: number;
}

/** The first of the highest; undefined where no evaluation has one. */
export const bestAccuracyOf = (evals: readonly EvalPoint[]): AccuracyPoint | undefined =>
  evals.reduce<AccuracyPoint | undefined>(
    (best, { step, tokenAccuracy }) =>
      tokenAccuracy !== undefined && !(best && best.tokenAccuracy >= tokenAccuracy)
        ? { step, tokenAccuracy }
        : best,
    undefined,
  );

/** Mean over all its work, pauses left out; undefined where an older version did not count. */
export const meanSpeedOf = ({
  tokenCount,
  elapsedMs,
}: Pick<RunSummary, 'tokenCount' | 'elapsedMs'>): number | undefined =>
  tokenCount && elapsedMs > 0 ? (1000 * tokenCount) / elapsedMs : undefined;
