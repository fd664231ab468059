import type { rounds as zh } from '../zh/rounds';

const n = (value: number) => value.toLocaleString('en');

export const rounds: typeof zh = {
  startFrom: 'Start from',
  base: 'The model as it is',
  goOn: 'Go on with new data',
  chosen: (name) => `This run goes on from “${name}”`,
  chosenBody: (method) =>
    `What it has learned comes along: its method and shape (${method}) stay, while steps, learning rate and the rest are yours to set. Choose the new data; the result is a run of its own, and the adapter you start from stays as it is.`,
  fromBase: 'Start from the model instead',
  lockedTitle: (method) => `The method comes with the adapter: ${method}`,
  startedFrom: (name, step) =>
    step === undefined ? `Went on from “${name}”` : `Went on from “${name}” as of step ${n(step)}`,
};
