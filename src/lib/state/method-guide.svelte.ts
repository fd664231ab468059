/** Three questions that lead to a method, and what its answer fills into the recipe. */
import { LINEAR_MODULES } from '../config';
import type { Method } from './methods';
import { recipe } from './recipe.svelte';

export const QUESTIONS = ['task', 'data', 'device'] as const;
export type Question = (typeof QUESTIONS)[number];

export const ANSWERS = {
  task: ['general', 'special'],
  data: ['little', 'much'],
  device: ['scarce', 'rich'],
} as const;
export type Answer<Q extends Question = Question> = (typeof ANSWERS)[Q][number];
export type Answers = { [Q in Question]: Answer<Q> };

export type Advice = 'prompting' | 'prefix' | 'ia3' | 'lora' | 'qlora' | 'full';

/** By task, then data, then device. */
const ADVICE: Readonly<Record<string, Advice>> = {
  'general little scarce': 'prompting',
  'general little rich': 'prefix',
  'general much scarce': 'lora',
  'general much rich': 'lora',
  'special little scarce': 'ia3',
  'special little rich': 'lora',
  'special much scarce': 'qlora',
  'special much rich': 'full',
};

export const adviseMethod = ({ task, data, device }: Answers): Advice =>
  ADVICE[`${task} ${data} ${device}`];

/** What a piece of advice chooses on the form; prompting needs no training. */
export const METHOD_OF: Readonly<Record<Exclude<Advice, 'prompting'>, Method>> = {
  prefix: 'prefix',
  ia3: 'ia3',
  lora: 'lora',
  qlora: 'lora',
  full: 'full',
};

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

  /** Fills the form as advised. QLoRA's authors put LoRA on every linear layer. */
  fill(advice: Exclude<Advice, 'prompting'>): void {
    recipe.chooseMethod(METHOD_OF[advice]);
    if (advice === 'qlora') recipe.setTargets(LINEAR_MODULES);
  }
}

export const methodGuide = new MethodGuide();
