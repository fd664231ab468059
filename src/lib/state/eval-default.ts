/**
 * When a run evaluates itself where nobody has said so: at each epoch's end if rows are held back, for that is what
 * they are held back for, and not at all if none are. A default never contradicts what a person chose: where it
 * would, it gives way, and what is said is about the person's own choices.
 */
import type { EvalStrategy, TrainingArguments } from '../config';
import { findConflict, type ConflictKind } from './recipe-conflicts';

const ABOUT_EVALUATION: readonly ConflictKind[] = [
  'needs-evaluation',
  'other-rhythm',
  'no-multiple',
];

/** @param heldBack whether there will be rows to evaluate on */
export function withDefaultEvaluation(
  args: TrainingArguments,
  heldBack: boolean,
): TrainingArguments {
  const eval_strategy: EvalStrategy = !heldBack
    ? 'no'
    : args.eval_strategy === 'no'
      ? 'epoch'
      : args.eval_strategy;
  if (eval_strategy === args.eval_strategy) return args;
  const found = { ...args, eval_strategy };
  // Where these two fit, what is found is about evaluations.
  const conflict = findConflict(found, { method: 'lora', f16: true, heldBack: true });
  return conflict && ABOUT_EVALUATION.includes(conflict.kind) ? args : found;
}
