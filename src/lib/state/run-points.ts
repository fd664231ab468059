/** A run's log, or its events, as points of curves; the two are read alike. */
import type { LogEntry } from '../rpc/engine-api';

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

/** A record may hold the losses of evaluations too, in entries of their own or beside the others. */
type Logged = LogEntry & { eval_loss?: number };

export const pointsOf = (log: readonly Logged[]): Point[] =>
  log
    .filter((entry) => typeof entry.loss === 'number')
    .map(({ step, loss, grad_norm, learning_rate }) => ({
      step,
      loss,
      gradNorm: grad_norm,
      learningRate: learning_rate,
    }));

export const evalPointsOf = (log: readonly Logged[]): EvalPoint[] =>
  log
    .filter(({ eval_loss }) => typeof eval_loss === 'number')
    .map(({ step, eval_loss }) => ({ step, evalLoss: eval_loss! }));
