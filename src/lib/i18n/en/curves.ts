import type { curves as zh } from '../zh/curves';

const n = (value: number) => value.toLocaleString('en');

export const curves: typeof zh = {
  raw: 'loss as measured',
  smoothed: 'smoothed',
  evalLoss: 'evaluation loss',
  tokenAccuracy: 'Token accuracy',
  latestEvaluation: (value) => `At the latest evaluation: ${value}`,
  highest: (value, step) => `; highest ${value}, at step ${n(step)}`,
  lowestEvalLoss: (value, step) => ` Lowest evaluation loss: ${value}, at step ${n(step)}.`,
  epoch: 'Epoch',
  latest: (value) => `At the latest step: ${value}`,
  log: 'Logarithmic axis',
  logHint: 'Shows changes over several orders of magnitude.',

  compareTick: 'Compare',
  compareTickRun: (name) => `Compare: ${name}`,
  compareHint: (count) =>
    count === 0
      ? 'Tick two to four runs to lay their loss curves over each other.'
      : count === 1
        ? 'Tick one more run.'
        : `${n(count)} runs are compared.`,
  compareTitle: 'Compare',
  compareClear: 'Stop comparing',
  compareSummary: (count, evals) =>
    `The loss of ${n(count)} runs, laid over each other${evals ? '; rings are the losses of evaluations' : ''}.`,
  showEvals: 'Show evaluation loss',
  evalLossOf: (name) => `${name}: evaluation loss`,
  compareDiffers: 'Results, and settings that differ',
  compareSame: 'The settings of these runs are all the same.',
  setting: 'Setting',
  model: 'Model',
  data: 'Data',
  method: 'Method',
  lastLoss: 'Last loss',
  bestEvalLoss: 'Best evaluation loss',
  endsWith: 'Ends with',
  endsWithBest: (step) => `step ${n(step)} (best)`,
  lastEvalLoss: 'Last evaluation loss',
  bestTokenAccuracy: 'Best token accuracy',
  meanSpeed: 'Mean speed',
  timeTaken: 'Time taken',
  trainable: 'Trainable parameters',
  absent: '–',

  saveCard: 'Save the run’s card (JSON)',
  saveCardHint:
    'Holds the model, the data’s fingerprint, every argument, the device and the log, to keep or to repeat the run.',
  saveState: 'Save trainer_state.json',
  saveStateHint: (step) =>
    `The record as Hugging Face’s Trainer writes it, up to the newest checkpoint (step ${n(step)}): losses averaged as logging_steps says, and the evaluations.`,
};
