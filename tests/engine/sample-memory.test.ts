/**
 * GPU memory of the answers that a run gives while it learns, where the graphics card talks. Plan:
 * - a round takes no more than its adapter needs, gives it back, and the step after it finds what the one before had
 * - so does a round whose answers fail
 * - a round that finds no memory fails, and the run ends in the bytes of one that was asked nothing
 * A stand-in for the session answers: the runtime's files are not served to Node.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_IA3_CONFIG, DEFAULT_LORA_CONFIG, FULL_TUNING, type PeftConfig } from '$lib/config';
import { TextSession, type GenerateRequest } from '$lib/inference';
import type { EngineApi, RunSummary, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { startEngine, takeAdapter } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk } from './mortal-storage';
import { importSmallModel, silent, smallRun } from './small-model';

const STEPS = 3;
/** Less than one parameter's copy of any method here. */
const SPARE_BYTES = 64;

const lora = { ...DEFAULT_LORA_CONFIG, r: 2, lora_dropout: 0.1 };
const METHODS: Record<string, PeftConfig> = {
  LoRA: lora,
  DoRA: { ...lora, use_dora: true },
  PiSSA: { ...lora, init_lora_weights: 'pissa_niter_4' },
  IA3: DEFAULT_IA3_CONFIG,
  'prefix tuning': { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 4 },
  'full fine-tuning': FULL_TUNING,
};

/** All of one length, so that every step runs the plan of the first. */
const equalRows = () => {
  const rows = Array.from({ length: 8 }, (_, i) => {
    const ids = Array.from({ length: 8 }, (_, t) => (i * 31 + t * 17) % 97);
    return { input_ids: ids, labels: ids };
  });
  return new File([JSON.stringify(rows)], 'rows.json');
};

/** Answers, or refuses to, and notes what the GPU holds meanwhile. */
class StandIn {
  readonly heldBytes: number[] = [];
  refuses = false;

  constructor(private readonly gpu: FailingGpu) {}

  /** What it would say, in tokens. */
  length = 2;

  async generate({ generation }: Pick<GenerateRequest, 'generation'>) {
    this.heldBytes.push(this.gpu.takenBytes);
    if (this.refuses) throw new Error('it says nothing');
    const newTokens = Math.min(this.length, generation.max_new_tokens);
    const stoppedBy = newTokens < this.length ? 'length' : 'end';
    return { text: 'an answer', newTokens, stoppedBy };
  }

  async dispose(): Promise<void> {}
}

describe('sample answers on a graphics card', () => {
  let gpu: FailingGpu;
  let disk: Disk;
  let engine: EngineApi;
  let session: StandIn;
  let request: TrainRequest;

  beforeEach(async () => {
    gpu = new FailingGpu();
    disk = new Disk();
    engine = startEngine(disk, { gpu, talkOn: 'webgpu' });
    session = new StandIn(gpu);
    vi.spyOn(TextSession, 'create').mockResolvedValue(session as unknown as TextSession);
    const { dataset } = await engine.importDataset({ file: equalRows() }, silent());
    const training = { save_strategy: 'no', max_steps: STEPS } as const;
    request = smallRun(await importSmallModel(engine), dataset!.id, training);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    gpu.loseDevice();
  });

  const asking = (peft: PeftConfig): TrainRequest => ({
    ...{ ...request, peft },
    ...{ samplePrompts: ['How are you?'], sampleEvery: 1 },
  });

  interface Watched {
    readonly run: RunSummary;
    /** What the GPU held when each step was done. */
    readonly stepBytes: readonly number[];
    readonly failures: readonly Extract<TrainEvent, { kind: 'sample-failed' }>[];
    readonly trainableParams: number;
  }

  async function watch(
    request: TrainRequest,
    act: (event: TrainEvent) => void = () => {},
  ): Promise<Watched> {
    const stepBytes: number[] = [];
    const failures: Extract<TrainEvent, { kind: 'sample-failed' }>[] = [];
    let trainableParams = 0;
    const progress = (event: TrainEvent) => {
      if (event.kind === 'prepared') trainableParams = event.trainableParams;
      if (event.kind === 'step') stepBytes.push(gpu.takenBytes);
      if (event.kind === 'sample-failed') failures.push(event);
      act(event);
    };
    const run = await engine.train(request, { ...silent(), progress });
    return { run, stepBytes, failures, trainableParams };
  }

  it('that are cut say after how many tokens, are as long as was asked, and change no bit', async () => {
    const quiet = await engine.train({ ...request, peft: lora }, silent());
    session.length = 60;
    const events: TrainEvent[] = [];
    const context = { ...silent(), progress: (event: TrainEvent) => events.push(event) };
    const usual = await engine.train(asking(lora), context);
    expect(usual).toMatchObject({ max_new_tokens: 48, sampleEvery: 1 });
    expect(usual.samples.map(({ cutAfter }) => cutAfter)).toEqual([48, 48, 48, 48]);
    const told = events.flatMap((event) => (event.kind === 'sample' ? event.cutAfter : []));
    expect(told).toEqual([48, 48, 48, 48]);
    // Control: what comes to its end is not cut, though it is longer.
    const long = await engine.train({ ...asking(lora), max_new_tokens: 60 }, silent());
    expect(long).toMatchObject({ max_new_tokens: 60, samplePrompts: ['How are you?'] });
    for (const answer of long.samples) expect(answer).not.toHaveProperty('cutAfter');
    const expected = await takeAdapter(disk, quiet);
    for (const run of [usual, long]) expect(await takeAdapter(disk, run)).toEqual(expected);
  });

  for (const [name, peft] of Object.entries(METHODS))
    it(`of ${name} give their memory back after each round, answered or not`, async () => {
      const quiet = await watch({ ...request, peft });
      const bytesAfter = gpu.takenBytes;
      expect(session.heldBytes).toEqual([]);

      const answered = await watch(asking(peft));
      expect(answered.run.samples.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
      expect(answered.stepBytes).toEqual(quiet.stepBytes);
      expect(gpu.takenBytes).toBe(bytesAfter);
      // The start and the first step are asked of in one go.
      const [first, second, third] = quiet.stepBytes;
      const extraBytes = [first, first, second, third].map(
        (bytes, round) => session.heldBytes[round] - bytes,
      );
      const isOnTheGpu = peft.peft_type !== 'PREFIX_TUNING';
      for (const extra of extraBytes) expect(extra > 0).toBe(isOnTheGpu);
      if (peft.peft_type === 'FULL')
        expect(extraBytes).toEqual(Array(4).fill(4 * answered.trainableParams));

      session.refuses = true;
      const refused = await watch(asking(peft));
      expect(refused.failures.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
      expect(refused.stepBytes).toEqual(quiet.stepBytes);
      expect(gpu.takenBytes).toBe(bytesAfter);
    });

  for (const name of ['LoRA', 'DoRA', 'PiSSA', 'IA3', 'full fine-tuning'])
    for (const since of ['prepared', 'step'] as const)
      it(`of ${name} that find no memory since the first '${since}' fail, and the run goes on`, async () => {
        const peft = METHODS[name];
        const quiet = await watch({ ...request, peft });
        const expected = await takeAdapter(disk, quiet.run);

        const short = await watch(asking(peft), (event) => {
          const begins = event.kind === since && gpu.memoryBytes === Infinity;
          if (begins) gpu.memoryBytes = gpu.takenBytes + SPARE_BYTES;
          // The adapter is read back after the last step.
          if (event.kind === 'step' && event.step === STEPS) gpu.memoryBytes = Infinity;
        });
        expect(short.failures).toMatchObject(
          [0, 1, 2].map((step) => ({ step, error: { code: 'out-of-memory' } })),
        );
        for (const { error } of short.failures) expect(error.message).toMatch(/no memory left/);
        expect(short.run).toMatchObject({ status: 'finished', step: STEPS });
        expect(short.run.samples.map(({ step }) => step)).toEqual([STEPS]);
        expect(short.stepBytes).toEqual(quiet.stepBytes);
        expect(await takeAdapter(disk, short.run)).toEqual(expected);
      });
});
