/** Three questions that lead to a method, and what its answer fills into the recipe. */
import type { TrainingAdvice } from './advised-form';
import {
  adviseMethod,
  QUESTIONS,
  type Advice,
  type Answer,
  type Answers,
  type Question,
} from './method-advice';
import { recipe } from './recipe.svelte';
import { trainForm } from './train-form.svelte';

class MethodGuide {
  /** Index of the question that is asked; past the last, the advice is shown. */
  step = $state(0);
  answers = $state.raw<Partial<Answers>>({});

  readonly question: Question | undefined = $derived(QUESTIONS[this.step]);
  readonly answered = $derived(
    this.question !== undefined && this.answers[this.question] !== undefined,
  );
  readonly advice: Advice | undefined = $derived(
    this.question === undefined ? adviseMethod(this.answers as Answers) : undefined,
  );

  answer(value: Answer): void {
    if (this.question) this.answers = { ...this.answers, [this.question]: value };
  }

  next(): void {
    if (this.answered) this.step++;
  }

  back(): void {
    this.step = Math.max(0, this.step - 1);
  }

  restart(): void {
    this.step = 0;
    this.answers = {};
  }

  /**
   * Fills the form as advised.
   * @returns the epochs that it now has
   */
  fill(advice: TrainingAdvice['advice']): number {
    recipe.useAdvice({ advice, data: (this.answers as Answers).data }, trainForm.recommended);
    return recipe.training.num_train_epochs;
  }
}

export const methodGuide = new MethodGuide();
