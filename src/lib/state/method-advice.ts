/** Which way of tuning suits a task, by three questions. Prompting is an answer too. Pure. */
import type { Method } from './methods';

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
