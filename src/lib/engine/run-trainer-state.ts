/** A run's `trainer_state.json`, made of its newest checkpoint and, where it ended there, of its record. */
import type { RunSummary } from '../rpc/engine-api';
import { parseTrainerState, summarize, writeTrainerState } from '../training';
import { evicted, notFound } from './errors';
import type { RunLibrary } from './run-library';

/** @throws EngineError `not-found` before the first checkpoint, `evicted` */
export async function trainerStateOf(runs: RunLibrary, runId: string): Promise<string> {
  const run = await runs.get(runId);
  const newest = run.checkpoints.at(-1);
  if (!newest) throw notFound('checkpoint of', run.name);
  const text = await runs.checkpoints.readState(runId, newest.step);
  if (text === undefined) throw evicted(run.name);
  const state = parseTrainerState(text);
  return hasEnded(run) && state.global_step === run.step
    ? writeTrainerState(summarize(state, { losses: lossesOf(run), elapsedMs: run.elapsedMs }))
    : text;
}

/** The Trainer's `train()` would have returned; what broke off has no summary there either. */
const hasEnded = ({ status }: RunSummary) => status === 'finished' || status === 'stopped';

const lossesOf = ({ log }: RunSummary): number[] =>
  log.flatMap((entry) => ('loss' in entry ? [entry.loss] : []));
