/** Sample answers while a model learns. No answer that fails ends a run: what the run learns does not depend on it. */
import { InkstoneError } from '../config';
import type { LoadedAdapter } from '../peft';
import type { TrainEvent } from '../rpc/engine-api';
import type { Trainer } from '../training';
import { describeError } from './errors';
import { GREEDY } from './greedy';
import type { LoadedModel, Speaker, SpeakerWork } from './open-model';
import type { RunRecorder } from './run-recorder';
import { isSampleStep, SAMPLE_TIME_SHARE } from './time-to-come';

export interface SampleAskerOptions {
  readonly model: LoadedModel;
  readonly trainer: Trainer;
  readonly prompts: readonly string[];
  /** See isSampleStep. */
  readonly every: number;
  readonly maxNewTokens: number;
  readonly signal: AbortSignal;
  readonly emit: (event: TrainEvent) => void;
  readonly record: RunRecorder;
}

/** Asks the same questions again and again, of the very parameters that are being trained. */
export class SampleAsker {
  private readonly startedAt = performance.now();
  private spentMs = 0;
  private start: { step: number; adapter: LoadedAdapter } | undefined;
  /** Questions that the model can never take in. */
  private readonly tooLong = new Set<string>();

  constructor(private readonly options: SampleAskerOptions) {}

  /** Keeps what the run starts from: its answers are asked after the first step, which nobody then waits for. */
  async rememberStart(): Promise<void> {
    const { trainer, prompts, record } = this.options;
    const { step } = trainer;
    const asked = record.run.samples.filter((sample) => sample.step === step);
    if (prompts.every((prompt) => asked.some((sample) => sample.prompt === prompt))) return;
    try {
      this.start = { step, adapter: await trainer.loadedAdapter() };
    } catch (error) {
      this.tell(step, error);
    }
  }

  async askAfter(step: number): Promise<void> {
    const { start } = this;
    const { model } = this.options;
    this.start = undefined;
    if (start) await this.ask(start.step, (work) => model.speakBefore(start.adapter, work));
    if (this.isDue(step)) await this.ask(step, (work) => this.speakNow(work));
  }

  private isDue(step: number): boolean {
    const { every, trainer } = this.options;
    const { totalSteps } = trainer.shape;
    // Early stopping has a last step of its own.
    if (trainer.finished) return true;
    if (!isSampleStep(step, totalSteps, every)) return false;
    const affordable = this.spentMs <= SAMPLE_TIME_SHARE * (performance.now() - this.startedAt);
    return every > 0 || affordable || step === totalSteps;
  }

  private speakNow(work: SpeakerWork<void>): Promise<void> {
    const { model, trainer } = this.options;
    const loaded = () => trainer.loadedAdapter();
    return model.speakInTraining({ adapter: trainer.adapter, loaded }, work);
  }

  /** @param speak gives its memory back at the end: the steps to come were promised it */
  private async ask(
    step: number,
    speak: (work: SpeakerWork<void>) => Promise<void>,
  ): Promise<void> {
    const { prompts, signal, record } = this.options;
    const asked = prompts.filter((prompt) => !this.tooLong.has(prompt));
    if (asked.length === 0 || signal.aborted) return;
    const started = performance.now();
    let answered = false;
    try {
      await speak(async (speaker) => {
        for (const prompt of asked) {
          if (signal.aborted) break;
          answered = (await this.askOne(step, prompt, speaker)) || answered;
        }
      });
    } catch (error) {
      this.tell(step, error);
    }
    const elapsedMs = performance.now() - started;
    this.spentMs += elapsedMs;
    if (answered && !signal.aborted) record.toCome.answered(elapsedMs);
  }

  /** @returns whether there is an answer */
  private async askOne(step: number, prompt: string, speaker: Speaker): Promise<boolean> {
    const { signal, emit, record, maxNewTokens } = this.options;
    const { session, adapter } = speaker;
    try {
      const { text, newTokens, stoppedBy } = await session.generate({
        messages: [{ role: 'user', content: prompt }],
        generation: { ...GREEDY, max_new_tokens: maxNewTokens },
        adapter,
        signal,
      });
      const isCut = stoppedBy === 'length';
      const answer = { step, prompt, text, ...(isCut && { cutAfter: newTokens }) };
      record.sample(answer);
      emit({ kind: 'sample', ...answer });
      return true;
    } catch (error) {
      if (isTooLong(error)) this.tooLong.add(prompt);
      this.tell(step, error, prompt);
      return false;
    }
  }

  /** A lost device is told of by the step that needs it next. */
  private tell(step: number, error: unknown, prompt?: string): void {
    const { signal, emit } = this.options;
    if (!signal.aborted) emit({ kind: 'sample-failed', step, prompt, error: describeError(error) });
  }
}

const isTooLong = (error: unknown): boolean =>
  error instanceof InkstoneError && error.code === 'prompt-too-long';
