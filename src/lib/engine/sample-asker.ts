/** Sample answers while a model learns. */
import type { LoadedAdapter } from '../peft';
import type { TrainEvent } from '../rpc/engine-api';
import type { Trainer } from '../training';
import { GREEDY } from './greedy';
import type { LoadedModel, Speaker } from './open-model';
import type { RunRecorder } from './run-recorder';
import { isSampleStep, SAMPLE_TIME_SHARE } from './time-to-come';

const MAX_NEW_TOKENS = 48;

export interface SampleAskerOptions {
  readonly model: LoadedModel;
  readonly trainer: Trainer;
  readonly prompts: readonly string[];
  /** See isSampleStep. */
  readonly every: number;
  readonly signal: AbortSignal;
  readonly emit: (event: TrainEvent) => void;
  readonly record: RunRecorder;
}

/** Asks the same questions again and again, of the very parameters that are being trained. */
export class SampleAsker {
  private readonly startedAt = performance.now();
  private spentMs = 0;
  private start: { step: number; adapter: LoadedAdapter } | undefined;

  constructor(private readonly options: SampleAskerOptions) {}

  /** Keeps what the run starts from: its answers are asked after the first step, which nobody then waits for. */
  async rememberStart(): Promise<void> {
    const { trainer, prompts, record } = this.options;
    const { step } = trainer;
    const asked = record.run.samples.filter((sample) => sample.step === step);
    if (prompts.every((prompt) => asked.some((sample) => sample.prompt === prompt))) return;
    this.start = { step, adapter: await trainer.loadedAdapter() };
  }

  async askAfter(step: number): Promise<void> {
    const { start } = this;
    const { model } = this.options;
    this.start = undefined;
    if (start) {
      await this.ask(start.step, () => model.speakerBefore(start.adapter));
      await model.forgetTraining();
    }
    if (this.isDue(step)) await this.ask(step, () => this.speakerNow());
  }

  private isDue(step: number): boolean {
    const { every, trainer } = this.options;
    const { totalSteps } = trainer.shape;
    if (!isSampleStep(step, totalSteps, every)) return false;
    const affordable = this.spentMs <= SAMPLE_TIME_SHARE * (performance.now() - this.startedAt);
    return every > 0 || affordable || step === totalSteps;
  }

  private speakerNow(): Promise<Speaker> {
    const { model, trainer } = this.options;
    const loaded = () => trainer.loadedAdapter();
    return model.speakerInTraining({ adapter: trainer.adapter, loaded });
  }

  private async ask(step: number, speaker: () => Promise<Speaker>): Promise<void> {
    const { prompts, signal, emit, record } = this.options;
    if (prompts.length === 0 || signal.aborted) return;
    const started = performance.now();
    const { session, adapter } = await speaker();
    for (const prompt of prompts) {
      if (signal.aborted) break;
      const { text } = await session.generate({
        messages: [{ role: 'user', content: prompt }],
        generation: { ...GREEDY, max_new_tokens: MAX_NEW_TOKENS },
        adapter,
        signal,
      });
      record.sample(step, prompt, text);
      emit({ kind: 'sample', step, prompt, text });
    }
    const elapsedMs = performance.now() - started;
    this.spentMs += elapsedMs;
    if (!signal.aborted) record.toCome.answered(elapsedMs);
  }
}
