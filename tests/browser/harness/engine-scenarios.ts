/** What the browser tests ask of the whole engine: over memory instead of storage, on the real device. */
import { COMMON_RECIPE } from '../../../src/lib/config';
import { createEngine } from '../../../src/lib/engine';
import type { TalkOn } from '../../../src/lib/engine/known-model';
import type { ChatResult, EngineApi, TrainEvent } from '../../../src/lib/rpc/engine-api';
import { MemoryFiles, MemoryTables } from '../../../src/lib/storage';
import { GREEDY } from './comparison';

const MODEL = 'nano-lm';
const QUESTION = 'Which department should I go to if my knee hurts?';
/** More tokens than the bundled model has positions. */
const TOO_LONG = `${QUESTION} `.repeat(200);
/** As many as a sample answer may have. */
const GENERATION = { ...GREEDY, max_new_tokens: 48 };

/** Enough that the adapter answers otherwise than the base. */
const STEPS = 12;

const silent = () => ({ signal: new AbortController().signal, progress: () => {} });

const startEngine = (talkOn: TalkOn): EngineApi =>
  createEngine({
    files: new MemoryFiles(),
    tables: new MemoryTables(),
    gpu: navigator.gpu,
    baseUrl: `${self.location.origin}/`,
    talkOn,
  });

/** Base answer, a short run with sample answers, and the answer of the adapter that it made. */
async function engineTrainsAndTalks(talkOn: TalkOn) {
  const engine = startEngine(talkOn);
  const chat = (adapterId?: string): Promise<ChatResult> =>
    engine.chat(
      {
        modelId: MODEL,
        adapterId,
        messages: [{ role: 'user', content: QUESTION }],
        generation: GENERATION,
      },
      silent(),
    );
  const device = await engine.describeDevice(undefined, silent());
  const model = await engine.openModel({ modelId: MODEL }, silent());
  const base = await chat();
  const events: TrainEvent[] = [];
  const run = await engine.train(
    {
      modelId: MODEL,
      datasetId: 'medical-en',
      evalShare: 0,
      peft: { ...COMMON_RECIPE.lora, r: 4 },
      training: {
        ...COMMON_RECIPE.training,
        learning_rate: 1e-2,
        max_steps: STEPS,
        per_device_train_batch_size: 4,
        gradient_accumulation_steps: 1,
      },
      samplePrompts: [QUESTION, TOO_LONG],
      name: 'a run',
    },
    { ...silent(), progress: (event) => events.push(event) },
  );
  const tuned = await chat(run.adapterId);
  const again = await chat();
  await engine.closeModel(undefined, silent());
  return {
    device,
    model,
    base,
    tuned,
    again,
    status: run.status,
    samples: events.flatMap((event) =>
      event.kind === 'sample' ? [{ step: event.step, text: event.text }] : [],
    ),
    unanswered: events.flatMap((event) =>
      event.kind === 'sample-failed' ? [{ step: event.step, code: event.error.code }] : [],
    ),
  };
}

/**
 * Bytes of all WebAssembly memories after each of some cycles of opening, talking and closing; then,
 * as the control, with three copies of the weights at once.
 */
async function engineGivesMemoryBack(cycles: number) {
  const memories: WebAssembly.Memory[] = [];
  WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
    construct(target, [descriptor]: [WebAssembly.MemoryDescriptor]) {
      const memory = new target(descriptor);
      memories.push(memory);
      return memory;
    },
  });
  const sizeNow = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  const talkOn = (engine: EngineApi) =>
    engine.chat(
      {
        modelId: MODEL,
        messages: [{ role: 'user', content: QUESTION }],
        generation: { ...GREEDY, max_new_tokens: 4 },
      },
      silent(),
    );
  const engine = startEngine('wasm');
  const closed: number[] = [];
  for (let cycle = 0; cycle < cycles; cycle++) {
    await talkOn(engine);
    await engine.closeModel(undefined, silent());
    closed.push(sizeNow());
  }
  for (let copy = 0; copy < 3; copy++) await talkOn(startEngine('wasm'));
  return { closed, open: sizeNow() };
}

export const engineScenarios = { engineTrainsAndTalks, engineGivesMemoryBack };
