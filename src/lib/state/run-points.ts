/** A run's log, or its events, as points of curves; the two are read alike. */
import type { EvalLogEntry, LogEntry } from '../rpc/engine-api';

export interface Point {
  step: number;
  loss: number;
  gradNorm: number;
  learningRate: number;
  /** Of a run under way; its record does not hold it. */
  tokensPerSecond?: number;
}

export interface EvalPoint {
  step: number;
  evalLoss: number;
}

type Logged = LogEntry | EvalLogEntry;

export const pointsOf = (log: readonly Logged[]): Point[] =>
  log
    .filter((entry) => 'loss' in entry)
    .map(({ step, loss, grad_norm, learning_rate }) => ({
      step,
      loss,
      gradNorm: grad_norm,
      learningRate: learning_rate,
    }));

export const evalPointsOf = (log: readonly Logged[]): EvalPoint[] =>
  log
    .filter((entry) => 'eval_loss' in entry)
    .map(({ step, eval_loss }) => ({ step, evalLoss: eval_loss }));
