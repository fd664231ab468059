/** How a run that has ended without being finished could go on, and the request for it. Pure. */
import type { CheckpointSummary, RunSummary, TrainRequest } from '../rpc/engine-api';

/**
 * `resume` is the same run, from its last checkpoint, to the bytes of one that was not interrupted. `slower` is for
 * one that diverged, and would again: a run of its own that starts from that checkpoint's adapter.
 */
export interface WayOn {
  kind: 'resume' | 'slower';
  /** Of the checkpoint. */
  step: number;
}

/** What is left of the rate. */
const SLOWER = 1 / 3;

/** Step that the run would go on from; undefined when it would start again. */
export const goesOnFrom = ({ checkpoints }: Pick<RunSummary, 'checkpoints'>): number | undefined =>
  checkpoints.findLast(({ resumeBytes }) => resumeBytes > 0)?.step;

/**
 * @param code what ended it, where its record does not say so yet
 * @returns undefined where there is no checkpoint to go on from, or nothing left to do
 */
export function wayOn(run: RunSummary, code = run.error?.code): WayOn | undefined {
  if (run.status === 'finished') return undefined;
  const kind = code === 'diverged' ? 'slower' : 'resume';
  const step = kind === 'slower' ? run.checkpoints.at(-1)?.step : goesOnFrom(run);
  return step !== undefined && step < run.totalSteps ? { kind, step } : undefined;
}

/**
 * The same run, to its end: from a checkpoint, or from the start where it was broken off before the first. One that failed
 * without a checkpoint would fail again.
 */
export function canGoOn(run: RunSummary): boolean {
  if (wayOn(run)?.kind === 'resume') return run.status !== 'running' && run.status !== 'paused';
  const brokenOff = run.status === 'interrupted' || run.status === 'stopped';
  return brokenOff && run.error?.code !== 'diverged' && run.step < run.totalSteps;
}

/** The adapter that an unfinished round still needs: one without a checkpoint of its own starts again from there. */
export const startsAgainFrom = (run: RunSummary): string | undefined =>
  canGoOn(run) && goesOnFrom(run) === undefined ? run.startedFrom?.adapterId : undefined;

/**
 * Takes the steps that were left, with the same rows held back; the schedule is laid over these steps.
 * @param words its name, and what it is asked, how often and how long
 */
export function slowerRequest(
  run: RunSummary,
  checkpoint: Pick<CheckpointSummary, 'step' | 'adapterId'>,
  words: Pick<TrainRequest, 'name' | 'samplePrompts' | 'sampleEvery' | 'max_new_tokens'>,
): TrainRequest {
  const { modelId, datasetId, evalShare, evalDatasetId, leaveOut, peft, training } = run;
  const { lr_scheduler_kwargs: kwargs } = training;
  return {
    ...{ modelId, datasetId, evalShare, evalDatasetId, leaveOut, peft },
    ...words,
    initAdapterId: checkpoint.adapterId,
    training: {
      ...training,
      learning_rate: slowerRate(training.learning_rate),
      max_steps: run.totalSteps - checkpoint.step,
      // Rates in themselves, which may not end above the new one; all other arguments are shares or counts.
      lr_scheduler_kwargs: kwargs && {
        ...kwargs,
        ...(kwargs.lr_end !== undefined && { lr_end: kwargs.lr_end * SLOWER }),
        ...(kwargs.min_lr !== undefined && { min_lr: kwargs.min_lr * SLOWER }),
      },
    },
  };
}

/** To two digits, as a person would write it. */
export const slowerRate = (rate: number): number => Number((rate * SLOWER).toPrecision(2));
