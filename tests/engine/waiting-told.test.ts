/**
 * Plan: who wants to talk with a fully tuned model while another is talked with is told so through the call's own
 * progress, by the other's kind and name, and that it is over; then it goes on. Both ways: a chat during an evaluation,
 * an evaluation during a chat. It can be cancelled while it waits. Control: a chat with the base model, and with an
 * adapter that is no whole model, answers meanwhile and hears of nobody. A stand-in for the session answers: the
 * runtime's files are not served to Node.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DEFAULT_LORA_CONFIG, FULL_TUNING, type PeftConfig } from '$lib/config';
import { TextSession } from '$lib/inference';
import type { ChatRequest, EngineApi, EvaluateRequest, WaitsFor } from '$lib/rpc/engine-api';
import { startEngine } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

/** Answers at once, but where it is held up. */
class StandIn {
  private heldUp: Promise<void> | undefined;

  /** The next answer ends when it is told to. @returns once it has begun, how to end it */
  holdUp(): { begun: Promise<void>; end: () => void } {
    let [end, begin] = [() => {}, () => {}];
    this.heldUp = new Promise<void>((resolve) => (end = resolve));
    const begun = new Promise<void>((resolve) => (begin = resolve));
    this.onBegin = begin;
    return { begun, end };
  }
  private onBegin = () => {};

  async generate() {
    const { heldUp } = this;
    this.heldUp = undefined;
    this.onBegin();
    await heldUp;
    return { text: 'an answer', newTokens: 2 };
  }

  async dispose(): Promise<void> {}
}

describe('who has to wait for another fully tuned model', () => {
  const gpu = new FailingGpu();
  const engine: EngineApi = startEngine(new Disk(), { gpu, talkOn: 'webgpu' });
  const session = new StandIn();
  let [modelId, datasetId, first, second, small] = ['', '', '', '', ''];

  beforeAll(async () => {
    vi.spyOn(TextSession, 'create').mockResolvedValue(session as unknown as TextSession);
    modelId = await importSmallModel(engine);
    datasetId = await importTokenRows(engine);
    const train = async (name: string, peft: PeftConfig) => {
      const request = { ...smallRun(modelId, datasetId, { max_steps: 1 }), peft, name };
      return (await engine.train(request, silent())).adapterId!;
    };
    first = await train('the first', FULL_TUNING);
    second = await train('the second', FULL_TUNING);
    small = await train('small', { ...DEFAULT_LORA_CONFIG, r: 2 });
  });
  afterAll(() => {
    vi.restoreAllMocks();
    gpu.loseDevice();
  });

  const evaluation = (adapterId: string): EvaluateRequest => ({
    ...{ modelId, datasetId, adapterIds: [adapterId], maxRows: 2, max_new_tokens: 4 },
  });
  const question = (adapterId?: string): ChatRequest => ({
    ...{ modelId, adapterId, messages: [{ role: 'user', content: 'Why?' }] },
    generation: { max_new_tokens: 4 } as ChatRequest['generation'],
  });

  /** Changes of what a call waits for. */
  class Heard {
    readonly told: (WaitsFor | undefined)[] = [];
    readonly progress = ({ waitsFor }: { waitsFor?: WaitsFor }): void => {
      if (waitsFor !== this.told.at(-1)) this.told.push(waitsFor);
    };
    readonly waiting = () => vi.waitFor(() => expect(this.told).toHaveLength(1));
  }

  const asFirst = (kind: 'chat' | 'evaluation') => ({
    ...{ kind, adapterId: first, adapterName: 'the first' },
  });

  it('a chat is told of the evaluation, and answers after it; others answer meanwhile', async () => {
    const { begun, end } = session.holdUp();
    const evaluated = engine.evaluate(evaluation(first), silent());
    await begun;
    const heard = new Heard();
    const answered = engine.chat(question(second), { ...silent(), ...heard });
    await heard.waiting();
    expect(heard.told).toEqual([asFirst('evaluation')]);
    const other = new Heard();
    for (const adapterId of [undefined, small])
      await engine.chat(question(adapterId), { ...silent(), ...other });
    expect(other.told).toEqual([]);
    end();
    await Promise.all([evaluated, answered]);
    expect(heard.told).toEqual([asFirst('evaluation'), undefined]);
  });

  it('an evaluation is told of the chat, and goes on after it', async () => {
    const { begun, end } = session.holdUp();
    const answered = engine.chat(question(first), silent());
    await begun;
    const heard = new Heard();
    const evaluated = engine.evaluate(evaluation(second), { ...silent(), ...heard });
    await heard.waiting();
    expect(heard.told).toEqual([asFirst('chat')]);
    end();
    await answered;
    expect((await evaluated).scores).toHaveLength(1);
    expect(heard.told).toEqual([asFirst('chat'), undefined]);
  });

  it('can be cancelled while it waits', async () => {
    const { begun, end } = session.holdUp();
    const evaluated = engine.evaluate(evaluation(first), silent());
    await begun;
    const leave = new AbortController();
    const heard = new Heard();
    const left = engine.chat(question(second), { ...heard, signal: leave.signal });
    await heard.waiting();
    leave.abort();
    await expect(left).rejects.toMatchObject({ name: 'AbortError' });
    end();
    await evaluated;
    expect(heard.told).toEqual([asFirst('evaluation')]);
  });
});
