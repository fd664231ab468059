/** What follows the data where nobody has said so: when a run evaluates itself, and whether long texts are split. */
import type { TrainingArguments } from '../config';
import { withDefaultEvaluation } from './eval-default';

/** What a person chose, so that it no longer follows the data. */
export interface OwnChoices {
  readonly evaluationIsOwn: boolean;
  readonly splitIsOwn: boolean;
}

export const NOTHING_CHOSEN: OwnChoices = { evaluationIsOwn: false, splitIsOwn: false };

export interface FormData {
  /** Whether there will be rows to evaluate on. */
  readonly holdsBack: boolean;
  /** Plain text: rows without a prompt, of which what is cut off is never learned. */
  readonly isText: boolean;
}

/** The same, asked anew whenever the form's data changes. */
export type DataQuestions = { readonly [Name in keyof FormData]: () => FormData[Name] };

/** With what a change of the person's names. */
export const withChoices = (
  own: OwnChoices,
  { eval_strategy, split_long_text }: Partial<TrainingArguments>,
): OwnChoices => ({
  evaluationIsOwn: own.evaluationIsOwn || eval_strategy !== undefined,
  splitIsOwn: own.splitIsOwn || split_long_text !== undefined,
});

export function withDataDefaults(
  args: TrainingArguments,
  { evaluationIsOwn, splitIsOwn }: OwnChoices,
  { holdsBack, isText }: FormData,
): TrainingArguments {
  const evaluated = evaluationIsOwn ? args : withDefaultEvaluation(args, holdsBack);
  if (splitIsOwn || evaluated.split_long_text === isText) return evaluated;
  return { ...evaluated, split_long_text: isText };
}
