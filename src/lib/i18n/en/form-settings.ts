import type { formSettings as zh } from '../zh/form-settings';

const n = (value: number) => value.toLocaleString('en');

export const formSettings: typeof zh = {
  actions: 'Settings as a whole',
  save: 'Save settings',
  load: 'Load settings',
  reset: 'Start afresh',
  undo: 'Undo',
  dropHere: 'Drop to load these settings',
  useRun: 'Use this run’s settings',
  useRunHint:
    'Fills the form above with this run’s model, data, method and every argument, yours to change.',
  saved: (fileName) =>
    `Saved as ${fileName}. It can be loaded here, and the command line’s train --config takes it as it is.`,
  loaded: (fileName) => `The form is filled in from ${fileName}.`,
  loadedMethod: (fileName) =>
    `The method is filled in from ${fileName}; it says nothing of the training, which stays as it was.`,
  loadedTraining: (fileName) =>
    `The training is filled in from ${fileName}; it names no method, which stays as it was.`,
  usedRun: (name) => `The form is filled in with the settings of “${name}”.`,
  methodStays: 'The method comes with the adapter to start from and stays.',
  missing: {
    model: (name) => `The model ${name} is not on this device; the model stays as it was.`,
    dataset: (name) => `The data “${name}” is not on this device; choose another.`,
    evalDataset: (name) =>
      `The data to evaluate on, “${name}”, is not on this device; a share of the data is held back instead.`,
    adapter: (name) =>
      `It went on from “${name}”, which is not on this device; the form starts from the model.`,
  },
  unused: (count) =>
    count === 1
      ? 'One name in the file is not used: '
      : `${n(count)} names in the file are not used: `,
  meant: (name, meant) => `${name} (here it is ${meant})`,
  separator: ', ',
  end: '.',
  unusedDetails: 'Why, one by one',
  afresh: {
    recommended: 'Back to the recipe tuned for this sample.',
    common: 'Back to the common recipe.',
    adapter: 'Back to the arguments that the adapter was trained with.',
  },
  failed: { save: 'Not saved', fill: 'Not loaded; the form is as it was' },
  undone: 'Undone. The form is as it was.',
};
