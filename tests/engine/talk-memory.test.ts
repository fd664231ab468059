/**
 * GPU memory of the adapters that are talked with, where the graphics card talks. Plan, for each method:
 * - of ten checkpoints asked one after another no more than two are held, of fully tuned models one; all that is
 *   deleted is given back; control: while one answers its memory is taken
 * - two that are asked in turn are made once each
 * - an evaluation of ten holds one at a time, says so in its report, and leaves nothing
 * - one that is deleted while it answers is held to the end of the answer, and no longer
 * - a run that begins has the memory of those that nobody talks with, and keeps it to the end
 * - talk that finds no memory while a run goes on is told, and the run ends in the bytes of one beside which nobody talks
 * A stand-in for the session answers: the runtime's files are not served to Node.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_IA3_CONFIG, DEFAULT_LORA_CONFIG, FULL_TUNING, type PeftConfig } from '$lib/config';
import { TextSession, type GenerateRequest } from '$lib/inference';
import type { ChatRequest, EngineApi, RunSummary, TrainRequest } from '$lib/rpc/engine-api';
import { startEngine, takeAdapter } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

const CHECKPOINTS = 10;

const lora = { ...DEFAULT_LORA_CONFIG, r: 2 };
const METHODS: Record<string, PeftConfig> = {
  LoRA: lora,
  DoRA: { ...lora, use_dora: true },
  IA3: DEFAULT_IA3_CONFIG,
  'full fine-tuning': FULL_TUNING,
};

/** Says something once `before` is over. */
class StandIn {
  before: (request: GenerateRequest) => void | Promise<void> = () => {};

  async generate(request: GenerateRequest) {
    await this.before(request);
    return { text: 'an answer', newTokens: 2 };
  }

  async dispose(): Promise<void> {}
}

describe('memory of what is talked with', () => {
  let gpu: FailingGpu;
  let disk: Disk;
  let engine: EngineApi;
  let session: StandIn;
  let request: TrainRequest;

  beforeEach(async () => {
    gpu = new FailingGpu();
    disk = new Disk();
    engine = startEngine(disk, { gpu, talkOn: 'webgpu' });
    session = new StandIn();
    vi.spyOn(TextSession, 'create').mockResolvedValue(session as unknown as TextSession);
    request = smallRun(await importSmallModel(engine), await importTokenRows(engine), {
      ...{ max_steps: CHECKPOINTS, save_strategy: 'steps', save_steps: 1 },
      ...{ save_total_limit: null, gradient_accumulation_steps: 1 },
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    gpu.loseDevice();
  });

  const taken = () => [gpu.takenCount, gpu.takenBytes];

  async function train(peft: PeftConfig): Promise<{ run: RunSummary; ids: string[] }> {
    const run = await engine.train({ ...request, peft }, silent());
    const ids = run.checkpoints.map(({ adapterId }) => adapterId);
    expect(ids).toHaveLength(CHECKPOINTS);
    return { run, ids };
  }

  function chat(adapterId: string | undefined, signal = new AbortController().signal) {
    const generation = { max_new_tokens: 4 } as ChatRequest['generation'];
    const messages = [{ role: 'user' as const, content: 'How are you?' }];
    const asked = { modelId: request.modelId, adapterId, messages, generation };
    return engine.chat(asked, { signal, progress: () => {} });
  }

  /** An answer that ends when it is told to. */
  async function answering(adapterId: string) {
    let end = () => {};
    const ended = new Promise<void>((resolve) => (end = resolve));
    const begun = new Promise<void>((resolve) => {
      session.before = () => {
        resolve();
        session.before = () => {};
        return ended;
      };
    });
    const answer = chat(adapterId);
    await begun;
    return async () => {
      end();
      await answer;
    };
  }

  for (const [name, peft] of Object.entries(METHODS))
    it(`of ${name}: two of ten stay, an evaluation leaves none`, async () => {
      const { run, ids } = await train(peft);
      const baseline = taken();
      const most = peft.peft_type === 'FULL' ? 1 : 2;
      let needed = [0, 0];
      for (const id of ids) {
        session.before = () => {
          if (needed[1] === 0) needed = taken().map((value, i) => value - baseline[i]);
          // One that answers and at most one beside it.
          expect(gpu.takenBytes).toBeLessThanOrEqual(baseline[1] + most * needed[1]);
        };
        await chat(id);
      }
      expect(Math.min(...needed)).toBeGreaterThan(0);
      expect(taken()).toEqual(baseline.map((value, i) => value + most * needed[i]));

      const asked: number[][] = [];
      session.before = () => void asked.push(taken());
      const { modelId, datasetId } = request;
      const { scores } = await engine.evaluate(
        { modelId, datasetId, maxRows: 2, max_new_tokens: 2, adapterIds: [undefined, ...ids] },
        silent(),
      );
      const beside = baseline.map((value, i) => value + needed[i]);
      const each = Array.from({ length: 2 * CHECKPOINTS }, () => beside);
      expect(asked).toEqual([baseline, baseline, ...each]);
      expect(scores.map(({ gpuBytes }) => gpuBytes)).toEqual([
        baseline[1],
        ...ids.map(() => beside[1]),
      ]);
      expect(taken()).toEqual(baseline);

      await chat(ids[0]);
      expect(taken()).toEqual(beside);
      await engine.deleteRun({ runId: run.id, keepAdapter: false }, silent());
      expect(taken()).toEqual(baseline);
      await expect(chat(ids[0])).rejects.toMatchObject({ code: 'not-found' });
      expect(taken()).toEqual(baseline);
    });

  it('two that are asked in turn are made once each, and one that many ask at once is made once', async () => {
    const { ids } = await train(lora);
    const baseline = taken();
    await Promise.all([1, 2, 3].map(() => chat(ids[0])));
    const one = taken();
    const adapters: unknown[] = [];
    session.before = ({ adapter }) => void adapters.push(adapter);
    for (let round = 0; round < 3; round++)
      for (const id of [undefined, ids[0], ids[1]]) await chat(id);
    expect(new Set(adapters).size).toBe(3);
    expect(taken()).toEqual(one.map((value, i) => 2 * value - baseline[i]));
  });

  it('one that is deleted while it answers is held to the end of the answer, and no longer', async () => {
    const { run, ids } = await train(lora);
    const baseline = taken();
    const end = await answering(ids[0]);
    const answered = taken();
    expect(answered).not.toEqual(baseline);
    await engine.deleteRun({ runId: run.id, keepAdapter: false }, silent());
    expect(taken()).toEqual(answered);
    await end();
    expect(taken()).toEqual(baseline);
  });

  it('one that is closed while it answers leaves nothing', async () => {
    const { ids } = await train(lora);
    await chat(ids[1]);
    const end = await answering(ids[0]);
    await engine.closeModel(undefined, silent());
    expect(taken()).toEqual([0, 0]);
    await end();
    expect(taken()).toEqual([0, 0]);
    await chat(ids[0]);
    expect(gpu.takenBytes).toBeGreaterThan(0);
  });

  it('a run that begins has the memory of those that nobody talks with', async () => {
    const heldBytes: number[] = [];
    const runBeside = () =>
      engine.train(request, {
        ...silent(),
        progress: (event) => {
          if (event.kind === 'prepared') heldBytes.push(gpu.takenBytes);
        },
      });
    const { checkpoints } = await runBeside();
    for (const { adapterId } of checkpoints.slice(0, 3)) await chat(adapterId);
    await runBeside();
    expect(heldBytes[1]).toBe(heldBytes[0]);
    const end = await answering(checkpoints[0].adapterId);
    await runBeside();
    await end();
    expect(heldBytes[2]).toBeGreaterThan(heldBytes[0]);
  });

  it('one that is talked with while a run holds the model goes at the end of its answer', async () => {
    const { ids } = await train(lora);
    const heldBytes: number[][] = [];
    const asking: Promise<unknown>[] = [];
    const askWhilePaused = async () => {
      for (const id of ids.slice(0, 2)) {
        const before = gpu.takenBytes;
        const end = await answering(id);
        const meanwhile = gpu.takenBytes;
        await end();
        heldBytes.push([before, meanwhile, gpu.takenBytes]);
      }
      await engine.resumeTraining(undefined, silent());
    };
    await engine.train(request, {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'step' && event.step === 1)
          void engine.pauseTraining(undefined, silent());
        if (event.kind === 'paused') asking.push(askWhilePaused());
      },
    });
    await Promise.all(asking);
    expect(heldBytes).toHaveLength(2);
    for (const [before, meanwhile, after] of heldBytes) {
      expect(meanwhile).toBeGreaterThan(before);
      expect(after).toBe(before);
    }
  });

  it.each([
    ['that finds no memory is told, and the run goes on', true],
    ['control: that finds some answers, and the run goes on', false],
  ])('talk beside a run %s', async (_title, isShort) => {
    const { ids } = await train(lora);
    // Nothing is read back, with memory of the run's own, before the last step.
    const training = { ...request.training, save_strategy: 'no' as const };
    const quiet = { ...request, peft: lora, training };
    const expected = await takeAdapter(disk, await engine.train(quiet, silent()));
    const outcomes: Promise<unknown>[] = [];
    const beside = await engine.train(quiet, {
      ...silent(),
      progress: (event) => {
        if (event.kind !== 'step') return;
        // It is read from its files and made in the midst of the steps that follow.
        const told = chat(ids[event.step - 1]).then(({ text }) => text);
        outcomes.push(told.catch(({ code }: { code?: string }) => code));
        if (isShort) gpu.memoryBytes = gpu.takenBytes + 64;
        if (event.step === CHECKPOINTS) gpu.memoryBytes = Infinity;
      },
    });
    const told = await Promise.all(outcomes);
    expect(beside).toMatchObject({ status: 'finished', step: CHECKPOINTS });
    expect(await takeAdapter(disk, beside)).toEqual(expected);
    expect(told).toHaveLength(CHECKPOINTS);
    expect(told.filter((each) => each !== 'an answer' && each !== 'out-of-memory')).toEqual([]);
    expect(told.includes('out-of-memory')).toBe(isShort);
  });
});
