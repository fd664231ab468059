/**
 * Nothing is lost: a run that is killed again and again, at any moment, in the middle of a write, of a
 * removal, of a step, goes on over the same storage and ends in the bytes of one that was let be.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { TrainingArguments } from '$lib/config';
import { Xoshiro128 } from '$lib/config/random';
import { TextSession } from '$lib/inference';
import type { RunSummary, TrainRequest } from '$lib/rpc/engine-api';
import { findRun, startEngine, takeAdapter, learned } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk, Killed, Life } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

/** Thirty-two in all; tests/browser/killed.spec.ts has twenty more over a browser's own files. */
const KILLS = 8;

/** One life: a run begun or gone on with. Undefined where it was killed before the end. */
async function live(
  disk: Disk,
  life: Life,
  request: TrainRequest,
  resumeRunId: string | undefined,
): Promise<RunSummary | undefined> {
  const gpu = new FailingGpu();
  try {
    return await startEngine(disk, { life, gpu, talkOn: 'webgpu' }).train(
      { ...request, resumeRunId },
      { ...silent(), progress: () => life.pass() },
    );
  } catch (error) {
    if (life.isOver) return undefined;
    throw error;
  } finally {
    gpu.loseDevice();
  }
}

/** What a page finds after a death, if anything: a run with no hole in its curve, to be gone on with. */
async function findAfterDeath(disk: Disk, name: string): Promise<RunSummary | undefined> {
  const run = await findRun(disk, name);
  if (!run) return undefined;
  const steps = run.log.filter((entry) => 'loss' in entry).map(({ step }) => step);
  expect(steps).toEqual(steps.map((_, i) => i + 1));
  // Killed after its last checkpoint a run may count as finished: it has its adapter.
  expect(['interrupted', 'finished']).toContain(run.status);
  return run;
}

/** Says the same whenever it is asked; the runtime's files are not served to Node. */
const answering = () =>
  vi.spyOn(TextSession, 'create').mockResolvedValue({
    generate: async () => ({ text: 'an answer' }),
    dispose: async () => {},
  } as unknown as TextSession);

type Asking = Pick<TrainRequest, 'samplePrompts' | 'sampleEvery'>;
/** At the start, between checkpoints and at the end: a run that goes on is asked of its new start as well. */
const QUESTIONS: Asking = { samplePrompts: ['How are you?', 'And now?'], sampleEvery: 3 };

const CASES: [
  what: string,
  training: Partial<TrainingArguments>,
  evalShare: number,
  asking?: Asking,
][] = [
  ['checkpoints by steps', { save_strategy: 'steps', save_steps: 2 }, 0],
  ['checkpoints by epoch', { save_strategy: 'epoch' }, 0],
  [
    'evaluations, the best of its checkpoints at the end, and moments in 8 bits',
    {
      ...{ save_strategy: 'steps', save_steps: 2, save_total_limit: 2, optim: 'adamw_8bit' },
      ...{ eval_strategy: 'steps', eval_steps: 2, load_best_model_at_end: true },
    },
    0.2,
  ],
  [
    'questions asked on the way, and evaluations',
    { save_strategy: 'steps', save_steps: 2, eval_strategy: 'steps', eval_steps: 1 },
    0.2,
    QUESTIONS,
  ],
];

/** Which questions were answered when, the end left out: killed there a run counts as finished. */
const answeredBefore = ({ samples, totalSteps }: RunSummary) =>
  samples.filter(({ step }) => step < totalSteps).map(({ step, prompt }) => `${step} ${prompt}`);

describe('a run that is killed', () => {
  afterEach(() => void vi.restoreAllMocks());

  for (const [what, training, evalShare, asking] of CASES)
    it(`at ${KILLS} moments, with ${what}, ends in the bytes of one that was not`, async () => {
      answering();
      const disk = new Disk();
      const modelId = await importSmallModel(startEngine(disk));
      const datasetId = await importTokenRows(startEngine(disk));
      const request = { ...smallRun(modelId, datasetId, training), evalShare, ...asking };
      const undisturbed = new Life();
      const whole = (await live(disk, undisturbed, request, undefined))!;
      const steps = evalShare > 0 ? 6 : 9;
      expect(whole).toMatchObject({ status: 'finished', step: steps });
      expect(whole.log.some((entry) => 'eval_loss' in entry)).toBe(evalShare > 0);
      const expected = await takeAdapter(disk, whole);
      expect(expected).toHaveLength(4);
      const answered = answeredBefore(whole);
      expect(answered).toHaveLength(asking ? 4 : 0);

      const random = new Xoshiro128(20);
      let kills = 0;
      for (let round = 1; kills < KILLS; round++) {
        const name = `run ${round}`;
        let run: RunSummary | undefined;
        let resumeId: string | undefined;
        while (!run) {
          const moment = 1 + random.nextBelow(undisturbed.moments);
          const life = kills < KILLS ? new Life(moment) : new Life();
          run = await live(disk, life, { ...request, name }, resumeId);
          if (run) break;
          kills++;
          const found = await findAfterDeath(disk, name);
          resumeId = found?.id;
          if (found?.status === 'finished') run = found;
        }
        expect(run).toMatchObject({ status: 'finished', step: steps, name });
        expect(await takeAdapter(disk, run), `${name} after ${kills} kills`).toEqual(expected);
        expect(learned(run)).toEqual(learned(whole));
        expect(answeredBefore(run)).toEqual(expect.arrayContaining(answered));
        const adapters = await startEngine(disk).listAdapters(undefined, silent());
        expect(adapters.map(({ id }) => id)).toContain(run.adapterId);
      }
    });

  it('is not one that failed of itself: an error of the run reaches the page', async () => {
    const disk = new Disk();
    const request = smallRun(await importSmallModel(startEngine(disk)), 'nowhere');
    await expect(live(disk, new Life(), request, undefined)).rejects.toMatchObject({
      code: 'not-found',
    });
    const life = new Life(1);
    expect(() => life.pass()).toThrow(Killed);
  });
});
