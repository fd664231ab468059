import type { ErrorSentence } from '../explain-error';
import type { errors as zh } from '../zh/errors';

/** The engine's own messages are English sentences already: undefined keeps them. */
const asWritten = () => undefined;

export const errors: Record<keyof typeof zh, ErrorSentence> = {
  unknown: () =>
    'Something unexpected stopped this before it was done. Your data is unchanged; try again.',
  unexpected: () =>
    'Something unexpected stopped this before it was done. Your data is unchanged; try again.',
  disposed: () => 'The engine was started again before this was done; try again.',
  aborted: () => 'Cancelled. Nothing was changed.',

  'unsupported-architecture': asWritten,
  'unsupported-option': asWritten,
  'missing-field': asWritten,
  'wrong-type': asWritten,
  'out-of-range': asWritten,
  'not-json': asWritten,

  'no-webgpu': () =>
    'This browser has no WebGPU, so it cannot train; open the page in a recent Chrome, Edge or Safari. Chat works here.',
  'no-adapter': () =>
    'The browser has WebGPU but found no graphics adapter, so it cannot train; check that hardware acceleration is on. Chat works here.',
  'device-lost': () =>
    'The graphics device was lost. Your checkpoints are safe; start the engine again.',
  'out-of-memory': (d) =>
    d.suggestion === undefined
      ? 'There is not enough graphics memory; lower the batch size or the maximum length, or take a smaller model.'
      : `There is not enough graphics memory; this would fit: ${d.suggestion}.`,
  limit: asWritten,
  validation: () =>
    'The graphics device refused an operation, so the result could not be trusted and work stopped; start the engine again.',
  shader: () =>
    'The graphics driver could not compile a compute program; update the browser or the driver.',
  'not-finite': () =>
    'The loss stopped being a number. The last checkpoint is kept; try a lower learning rate.',

  truncated: asWritten,
  corrupt: asWritten,
  'too-large': asWritten,
  'wrong-format': asWritten,
  'unsafe-name': asWritten,
  'missing-file': asWritten,
  'missing-shard': asWritten,
  'nan-weights': asWritten,
  'adapter-mismatch': asWritten,

  'no-rows': () => 'Not a single row was found; check that the file is not empty.',
  'empty-dataset': () => 'Not a single row was found; check that the file is not empty.',
  'all-rows-cut': (d) =>
    `Every answer is cut away by the maximum length${d.maxLength === undefined ? '' : ` (${d.maxLength})`}, so there is nothing to learn; raise max_length.`,

  'second-tab': () =>
    'Inkstone is already open in another tab; go back to that one, or close it and try again.',
  'storage-full': () =>
    'The space this device gives to the page is full; delete models or runs you no longer need in Settings and try again.',
  'quota-exceeded': () =>
    'The space this device gives to the page is full; delete models or runs you no longer need in Settings and try again.',
  'no-storage': () =>
    'The browser lets this page keep no files (a private window, perhaps); nothing will outlive the tab.',

  offline: () =>
    'There is no network and this model is not on the device yet; connect and try again.',
  sealed: () =>
    'The seal is closed, so nothing is fetched from other hosts; open it in Settings to download a model.',
  'worker-crashed': () => 'The worker stopped. Your checkpoints are safe; start the engine again.',
  'nothing-to-resume': () => 'This run has no checkpoint to go on from; start it anew.',
};
