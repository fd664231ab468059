/** What the run on the form would take, asked anew a moment after the form was changed. */
import type {
  Fp16Comparison,
  TimePrediction,
  TrainingPrediction,
  TrainSettings,
} from '../rpc/engine-api';
import { engine } from './engine.svelte';
import { models } from './models.svelte';

/** Typing a number changes the form with every key. */
const PAUSE_MS = 400;

class Prediction {
  /** Of the form as it is or, while the answer is under way, as it was. */
  value = $state.raw<TrainingPrediction>();
  error = $state.raw<unknown>();
  /** Of the form as it is; undefined until it is measured, and where it cannot be. */
  time = $state.raw<TimePrediction>();
  measuring = $state(false);
  /** With `fp16` and without it; while a run on the same model and data is changed, as it was until the next answer. */
  fp16 = $state.raw<Fp16Comparison>();
  #about: string | undefined;
  #asked = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param settings undefined where nothing can be told
   * @param measures whether the model may be opened for the time to be measured
   */
  ask(settings: TrainSettings | undefined, { measures }: { measures: boolean }): void {
    this.#stop();
    this.#asked = new AbortController();
    const { signal } = this.#asked;
    const about =
      settings && [settings.modelId, settings.datasetId, settings.peft.peft_type].join();
    if (about !== this.#about) this.fp16 = undefined;
    this.#about = about;
    if (!settings) this.value = this.error = undefined;
    else this.#timer = setTimeout(() => void this.#answer(settings, measures, signal), PAUSE_MS);
  }

  /** Nobody looks at it any more: what is being measured stops. */
  drop(): void {
    this.#stop();
    this.fp16 = undefined;
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#asked.abort();
    this.time = undefined;
    this.measuring = false;
  }

  async #answer(settings: TrainSettings, measures: boolean, signal: AbortSignal): Promise<void> {
    try {
      const value = await engine.call((api) => api.predictTraining(settings, { signal }));
      if (signal.aborted) return;
      this.value = value;
      this.error = undefined;
      if (value.exceeds) this.fp16 = undefined;
      else if (measures) await this.#measure(settings, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.value = this.fp16 = undefined;
      this.error = error;
      models.follow(error);
    }
  }

  /** Time is a courtesy: where it cannot be told, nothing is said. */
  async #measure(settings: TrainSettings, signal: AbortSignal): Promise<void> {
    this.measuring = true;
    const time = await orNothing(engine.call((api) => api.predictTime(settings, { signal })));
    if (signal.aborted) return;
    this.time = time;
    this.measuring = false;
    const fp16 =
      time && (await orNothing(engine.call((api) => api.compareFp16(settings, { signal }))));
    if (!signal.aborted) this.fp16 = fp16;
  }
}

/** The start of the run tells what is wrong. */
const orNothing = <Value>(answer: Promise<Value>): Promise<Value | undefined> =>
  answer.catch(() => undefined);

export const prediction = new Prediction();
