/**
 * Names of adapters. What a run saved at a step is `adapter-X-step-N` for good, where the run is `run-X`;
 * `adapter-X` is the newest of the run, as older versions called the only one.
 */
import type { CheckpointSummary, RunSummary } from '../rpc/engine-api';

export interface RunPoint {
  readonly runId: string;
  /** Undefined: the newest. */
  readonly step: number | undefined;
}

/** The checkpoint whose parameters a run has to show: the best where it asks for that, else the newest. */
export function finalCheckpoint({
  checkpoints,
  bestStep,
}: Pick<RunSummary, 'checkpoints' | 'bestStep'>): CheckpointSummary | undefined {
  return checkpoints.find(({ step }) => step === bestStep) ?? checkpoints.at(-1);
}

export function adapterIdOf(runId: string, step: number): string {
  return `${runId.replace(/^run-/, 'adapter-')}-step-${step}`;
}

/** Where in a run an adapter was saved, going by its name alone. */
export function runPointOf(adapterId: string): RunPoint {
  const [, name, step] = /^(.*?)(?:-step-(\d+))?$/s.exec(adapterId)!;
  return {
    runId: name.replace(/^adapter-/, 'run-'),
    step: step === undefined ? undefined : Number(step),
  };
}
