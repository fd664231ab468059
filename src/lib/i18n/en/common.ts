import type { common as zh } from '../zh/common';

const n = (value: number) => value.toLocaleString('en');

export const common: typeof zh = {
  appName: 'Inkstone',
  appNameLong: 'Inkstone 砚',
  cancel: 'Cancel',
  close: 'Close',
  delete: 'Delete',
  save: 'Save',
  open: 'Open',
  retry: 'Try again',
  rename: 'Rename',
  name: 'Name',
  download: 'Download',
  more: 'More',
  back: 'Back',
  yes: 'Yes',
  no: 'No',
  none: 'None',
  optional: 'optional',
  loading: 'Reading…',
  exactMessage: 'Exact message',
  chooseFile: 'Choose a file',
  chooseFolder: 'Choose a folder',
  dropHere: 'Let go to add it',
  showTable: 'Show as a table',
  actions: 'Actions',
  base: 'Base',
  baseModel: 'Base model (untuned)',
  step: 'Step',
  tokensPerSecond: 'tokens/s',
  stepNumber: (step) => `Step ${n(step)}`,
  atStep: (step, name) => `Step ${n(step)} · ${name}`,
  free: (size) => `Free ${size} of older checkpoints`,
  freeHint:
    'Removes earlier checkpoints, what finished runs no longer need, and files already exported. Models and data stay, and of every run its newest checkpoint and the best beside it, where it keeps its best.',
  freed: (size) => `${size} freed`,
  nothingToFree:
    'There are no older checkpoints to remove. Delete a model or a run that you no longer need:',
  steps: (count) => `${n(count)} ${count === 1 ? 'step' : 'steps'}`,
  rows: (count) => `${n(count)} ${count === 1 ? 'row' : 'rows'}`,
  rowRange: (from, to, all) => `Rows ${n(from)}–${n(to)} of ${n(all)}`,
  previous: 'Previous',
  next: 'Next',
  percentDone: (percent) => `${percent} done`,
  copied: 'Copied',
  waitsFor: {
    chat: (name) =>
      `Waiting for the answer of “${name}” to end: there is memory for one fully tuned model at a time.`,
    evaluation: (name) =>
      `Waiting for the evaluation of “${name}” to end: there is memory for one fully tuned model at a time.`,
    sample:
      'Waiting for the run’s sample answers to end: there is memory for one fully tuned model at a time.',
  },
};
