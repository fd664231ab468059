/** What a run ends with: its best checkpoint where it was asked for that, and an end for want of a better one. Pure. */
import { bestMetricOf } from '../config';
import type { RunSummary } from '../rpc/engine-api';
import { pointsOf } from './run-points';

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

export type Ended = Pick<
  RunSummary,
  'status' | 'step' | 'totalSteps' | 'training' | 'checkpoints' | 'bestStep' | 'log' | 'elapsedMs'
>;

export interface Ending {
  how: 'finished' | 'early' | 'stopped' | 'discarded' | 'failed';
  step: number;
  totalSteps: number;
  /** Of an early end, as EarlyEnd has it. */
  patience?: number;
  /** Where the run goes by one: what it ends with. */
  best?: BestCheckpoint;
  /** Of the last step on record. */
  lastLoss?: number;
}

/** What is worth a word in the moment in which a run is over. */
export function endingOf(run: Ended): Ending {
  const { status, step, totalSteps, checkpoints, log } = run;
  const early = earlyEndOf(run);
  const wasDiscarded = status === 'stopped' && checkpoints.length === 0;
  const how = early
    ? 'early'
    : status === 'finished'
      ? 'finished'
      : status === 'stopped'
        ? wasDiscarded
          ? 'discarded'
          : 'stopped'
        : 'failed';
  return {
    ...{ how, step, totalSteps, patience: early?.patience },
    best: bestCheckpointOf(run),
    lastLoss: pointsOf(log).at(-1)?.loss,
  };
}
