/** What a run ends with: its best checkpoint where it was asked for that, and an end for want of a better one. Pure. */
import { bestMetricOf } from '../config';
import type { RunSummary } from '../rpc/engine-api';

export interface BestCheckpoint {
  step: number;
  adapterId: string;
  /** What counts as best. */
  metric: ReturnType<typeof bestMetricOf>['name'];
  /** Undefined where the record does not tell. */
  value?: number;
}

/** The one that counts as the run's own, with `load_best_model_at_end`; undefined once it is deleted. */
export function bestCheckpointOf({
  checkpoints,
  bestStep,
  training,
  log,
}: Pick<RunSummary, 'checkpoints' | 'bestStep' | 'training' | 'log'>): BestCheckpoint | undefined {
  const checkpoint = checkpoints.find(({ step }) => step === bestStep);
  if (!checkpoint) return undefined;
  const { step, adapterId } = checkpoint;
  const metric = bestMetricOf(training).name;
  const evaluation = log.findLast((entry) => entry.step === step && 'eval_loss' in entry);
  const value = evaluation && 'eval_loss' in evaluation ? evaluation[metric] : undefined;
  return { step, adapterId, metric, value };
}

export interface EarlyEnd {
  step: number;
  totalSteps: number;
  /** Evaluations in a row that were no better. */
  patience: number;
}

export function earlyEndOf({
  status,
  step,
  totalSteps,
  training: { early_stopping_patience: patience },
}: Pick<RunSummary, 'status' | 'step' | 'totalSteps' | 'training'>): EarlyEnd | undefined {
  return status === 'finished' && step < totalSteps && patience
    ? { step, totalSteps, patience }
    : undefined;
}
