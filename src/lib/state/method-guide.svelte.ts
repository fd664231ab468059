/** Three questions that lead to a method, and what its answer fills into the recipe. */
import { LINEAR_MODULES } from '../config';
import {
  adviseMethod,
  METHOD_OF,
  QUESTIONS,
  type Advice,
  type Answer,
  type Answers,
  type Question,
} from './method-advice';
import { recipe } from './recipe.svelte';

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

  /** Fills the form as advised. QLoRA is LoRA on every linear layer of a base in four bits. */
  fill(advice: Exclude<Advice, 'prompting'>): void {
    recipe.chooseMethod(METHOD_OF[advice]);
    if (advice !== 'qlora') return;
    recipe.setTargets(LINEAR_MODULES);
    recipe.setChoice('load_in_4bit', true);
  }
}

export const methodGuide = new MethodGuide();
