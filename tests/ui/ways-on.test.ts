/**
 * Plan: a run that broke off goes on from the last checkpoint that has what it takes; one that diverged starts anew
 * from its last adapter, slower, over the steps that were left, in a request that the validators accept whatever
 * its schedule. Without a checkpoint, at its end, or finished, there is no way on.
 */
import { expect, test } from 'vitest';
import { COMMON_RECIPE, readTrainingArguments, type JsonObject } from '../../src/lib/config';
import type { RunSummary } from '../../src/lib/rpc/engine-api';
import { canGoOn, slowerRequest, startsAgainFrom, wayOn } from '../../src/lib/state/ways-on';
import { checkpointsAt, RUNS } from './stand-in/fixtures';

const broken: RunSummary = { ...RUNS[1], step: 90, checkpoints: checkpointsAt('run-2', 90) };
const diverged: RunSummary = {
  ...broken,
  status: 'failed',
  error: { code: 'diverged', message: 'The loss became NaN.' },
};

test.each(['interrupted', 'stopped', 'failed', 'running'] as const)(
  'a run that is %s goes on from its last checkpoint',
  (status) => {
    expect(wayOn({ ...broken, status })).toEqual({ kind: 'resume', step: 80 });
  },
);

test('a run that cannot go on is offered nothing', () => {
  for (const run of [
    { ...broken, status: 'finished' as const },
    { ...broken, checkpoints: [] },
    { ...broken, totalSteps: 80 },
    { ...broken, checkpoints: broken.checkpoints.map((one) => ({ ...one, resumeBytes: 0 })) },
  ])
    expect(wayOn(run)).toBeUndefined();
});

test('the same run goes on to its end, whatever broke it off, but not to diverge again', () => {
  const failed = { ...broken, status: 'failed' as const, error: { code: 'session', message: '' } };
  for (const status of ['interrupted', 'stopped', 'failed'] as const)
    expect(canGoOn({ ...failed, status }), status).toBe(true);
  // Before its first checkpoint it starts again, and what has failed would fail again.
  const bare = { ...broken, checkpoints: [] };
  expect(canGoOn({ ...bare, status: 'interrupted' })).toBe(true);
  expect(canGoOn({ ...bare, status: 'failed' })).toBe(false);
  // The last steps are done, and only their checkpoint is not saved.
  expect(canGoOn({ ...failed, status: 'interrupted', step: failed.totalSteps })).toBe(true);
  for (const run of [diverged, { ...diverged, status: 'interrupted' as const }])
    expect(canGoOn(run)).toBe(false);
  for (const status of ['running', 'paused', 'finished'] as const)
    expect(canGoOn({ ...broken, status }), status).toBe(false);
});

test('a round without a checkpoint of its own still needs the adapter that it began with', () => {
  const round = { ...broken, startedFrom: { adapterId: 'adapter-1', name: 'first' } };
  expect(startsAgainFrom({ ...round, checkpoints: [] })).toBe('adapter-1');
  expect(startsAgainFrom(round)).toBeUndefined();
  expect(startsAgainFrom({ ...round, checkpoints: [], status: 'finished' })).toBeUndefined();
  expect(startsAgainFrom({ ...broken, checkpoints: [] })).toBeUndefined();
});

test('a run that diverged goes on slower, also before its record says that it did', () => {
  expect(wayOn(diverged)).toEqual({ kind: 'slower', step: 80 });
  expect(wayOn(broken, 'diverged')).toEqual({ kind: 'slower', step: 80 });
  // Its adapter is enough: the optimiser begins anew.
  const bare = diverged.checkpoints.map((one) => ({ ...one, resumeBytes: 0 }));
  expect(wayOn({ ...diverged, checkpoints: bare })).toEqual({ kind: 'slower', step: 80 });
  expect(wayOn({ ...diverged, checkpoints: [] })).toBeUndefined();
});

test('slower is a run of its own over the steps that were left, with the same rows', () => {
  const run = { ...diverged, leaveOut: ['cut'] as const };
  const words = { name: 'slower', samplePrompts: ['a question'], sampleEvery: 7 };
  const request = slowerRequest(run, run.checkpoints.at(-1)!, words);
  expect(request).toMatchObject({
    ...words,
    ...{ modelId: run.modelId, datasetId: run.datasetId, evalShare: 0 },
    ...{ evalDatasetId: 'medical-zh-eval', leaveOut: ['cut'], peft: run.peft },
    initAdapterId: 'adapter-2-step-80',
    training: { ...run.training, learning_rate: 3.3e-5, max_steps: 40 },
  });
  expect(request.resumeRunId).toBeUndefined();
});

test.each([
  ['polynomial', { lr_end: 9e-5 }],
  ['cosine_with_min_lr', { min_lr: 9e-5 }],
  ['cosine_with_min_lr', { min_lr_rate: 0.5 }],
  ['linear', null],
] as const)('slower keeps %s with %j in order', (lr_scheduler_type, lr_scheduler_kwargs) => {
  const training = {
    ...COMMON_RECIPE.training,
    ...{ learning_rate: 1e-4, lr_scheduler_type, lr_scheduler_kwargs },
  };
  const { training: slower } = slowerRequest({ ...diverged, training }, broken.checkpoints[0], {
    ...{ name: '', samplePrompts: [] },
  });
  const read = readTrainingArguments({ ...slower } as unknown as JsonObject, 'slower');
  expect(read).toEqual(slower);
  expect(read.max_steps).toBe(80);
});
