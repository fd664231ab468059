/** What the run on the form would take, asked anew a moment after the form was changed. */
import type { TrainingPrediction, TrainSettings } from '../rpc/engine-api';
import { engine } from './engine.svelte';

/** Typing a number changes the form with every key. */
const PAUSE_MS = 400;

class Prediction {
  /** Of the form as it is or, while the answer is under way, as it was. */
  value = $state.raw<TrainingPrediction>();
  error = $state.raw<unknown>();
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param settings undefined where nothing can be told */
  ask(settings: TrainSettings | undefined): void {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    if (!settings) this.value = this.error = undefined;
    else this.#timer = setTimeout(() => void this.#answer(settings, asked), PAUSE_MS);
  }

  async #answer(settings: TrainSettings, asked: number): Promise<void> {
    try {
      const value = await engine.call((api) => api.predictTraining(settings));
      if (asked !== this.#asked) return;
      this.value = value;
      this.error = undefined;
    } catch (error) {
      if (asked !== this.#asked) return;
      this.value = undefined;
      this.error = error;
    }
  }
}

export const prediction = new Prediction();
