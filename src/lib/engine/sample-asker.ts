/** Sample answers while a model learns. */
import type { TrainEvent } from '../rpc/engine-api';
import type { Trainer } from '../training';
import { GREEDY } from './greedy';
import type { LoadedModel } from './open-model';
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

  constructor(private readonly options: SampleAskerOptions) {}

  askWhenDue(step: number): Promise<void> | undefined {
    const { every, trainer } = this.options;
    const { totalSteps } = trainer.shape;
    if (!isSampleStep(step, totalSteps, every)) return undefined;
    if (every > 0) return this.ask(step);
    const affordable = this.spentMs <= SAMPLE_TIME_SHARE * (performance.now() - this.startedAt);
    return affordable || step === totalSteps ? this.ask(step) : undefined;
  }

  async ask(step: number): Promise<void> {
    const { model, trainer, prompts, signal, emit, record } = this.options;
    if (prompts.length === 0) return;
    const started = performance.now();
    const { session, adapter } = await model.speakerInTraining({
      adapter: trainer.adapter,
      loaded: () => trainer.loadedAdapter(),
    });
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
