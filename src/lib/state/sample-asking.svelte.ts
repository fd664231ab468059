/** What the Train page's form holds of sample answers: the questions, how often, and how long an answer may be. */
import { isSampleLength } from '../config';
import { MOST_STEPS_BETWEEN_SAMPLES, UNTOUCHED_FORM } from './kept-form';

const MOST_QUESTIONS = 4;

class SampleAsking {
  /** One a line, as typed. */
  text = $state('');
  /** Steps between two rounds of them; 0 leaves it to the length of the run. */
  every = $state(UNTOUCHED_FORM.sampleEvery);
  maxNewTokens = $state(UNTOUCHED_FORM.max_new_tokens);

  readonly prompts = $derived(
    this.text
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean)
      .slice(0, MOST_QUESTIONS),
  );
  readonly valid = $derived(
    Number.isInteger(this.every) &&
      this.every >= 0 &&
      this.every <= MOST_STEPS_BETWEEN_SAMPLES &&
      isSampleLength(this.maxNewTokens),
  );
}

export const sampleAsking = new SampleAsking();
