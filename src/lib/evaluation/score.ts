/** Scores of a set of answers against their references. Pure over predictions. */
import { isExactMatch } from './accuracy';
import { rougeL } from './rouge-l';

export interface Prediction {
  readonly answer: string;
  readonly reference: string;
}

export interface Scores {
  /** Share of exact matches, 0 to 1. */
  readonly accuracy: number;
  /** Mean of ROUGE-L F1, 0 to 1. */
  readonly rougeL: number;
  readonly count: number;
}

export function scorePredictions(predictions: readonly Prediction[]): Scores {
  const count = predictions.length;
  if (count === 0) return { accuracy: 0, rougeL: 0, count };
  const mean = (value: (prediction: Prediction) => number) =>
    predictions.reduce((sum, prediction) => sum + value(prediction), 0) / count;
  return {
    accuracy: mean(({ answer, reference }) => (isExactMatch(answer, reference) ? 1 : 0)),
    rougeL: mean(({ answer, reference }) => rougeL(answer, reference)),
    count,
  };
}
