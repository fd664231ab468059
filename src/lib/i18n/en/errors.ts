import type { ErrorDetails, ErrorSentence } from '../explain-error';
import { wordChanges } from '../suggested-changes';
import type { errors as zh } from '../zh/errors';
import { methods } from './methods';
import { recipe } from './recipe';

/** Labels and values of all that a suggestion changes, as the form has them. */
const fields = { ...recipe.fields, peft_type: [methods.legend] };
const values: Readonly<Record<string, string>> = {
  ...recipe.choices,
  LORA: methods.cards.lora.title,
};

const changes = ({ suggestion = '' }: ErrorDetails) =>
  wordChanges(suggestion, fields, (label, value) =>
    value === 'true' ? `turn on “${label}”` : `${label} ${values[value] ?? value}`,
  ).join(', ');

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
  'not-yaml': asWritten,
  'no-settings': asWritten,
  'no-webgpu': () =>
    'This browser has no WebGPU, so it cannot train; open the page in a recent Chrome, Edge or Safari. Chat works here.',
  'no-adapter': () =>
    'The browser has WebGPU but found no graphics adapter, so it cannot train; check that hardware acceleration is on. Chat works here.',
  'device-lost': () =>
    'The graphics device was lost. Your checkpoints are safe; start the engine again.',
  'out-of-memory': (d) =>
    d.suggestion === undefined
      ? 'There is not enough graphics memory; lower the batch size or the maximum length, or take a smaller model.'
      : `There is not enough graphics memory; try these settings: ${changes(d)}.`,
  'ran-out-before': (d) =>
    `On this device a run with ${d.failed} of graphics memory ran out of it, so this one probably does too${d.suggestion === undefined ? '; take a smaller model' : `; with these settings it would need ${d.needed}: ${changes(d)}`}.`,
  limit: (d) =>
    d.suggestion === undefined
      ? undefined
      : `This run needs a larger buffer than this graphics device allows; these settings fit: ${changes(d)}.`,
  validation: () =>
    'The graphics device refused an operation, so the result could not be trusted and work stopped; start the engine again.',
  shader: () =>
    'The graphics driver could not compile a compute program; update the browser or the driver.',
  truncated: asWritten,
  corrupt: asWritten,
  'too-large': asWritten,
  'wrong-format': asWritten,
  'too-many-files': asWritten,
  unsupported: asWritten,
  'invalid-value': asWritten,
  'not-found': asWritten,
  'unsafe-name': asWritten,
  'missing-tensor': asWritten,
  'wrong-shape': asWritten,
  'wrong-dtype': asWritten,
  'not-finite': asWritten,
  'changed-base': asWritten,
  'cannot-merge': asWritten,
  'wrong-model': asWritten,
  'no-target': asWritten,
  'unsupported-target': asWritten,
  'costly-pattern': asWritten,
  'rank-too-large': asWritten,
  'odd-rank': asWritten,
  'bad-tokenizer': asWritten,
  'unsupported-model': asWritten,
  'bad-weights': asWritten,
  'bad-files': asWritten,
  'model-in-use': asWritten,
  bundled: asWritten,
  'nothing-held-back': asWritten,
  evicted: asWritten,
  'data-gone': asWritten,
  'model-gone': asWritten,
  'data-changed': asWritten,
  'model-changed': asWritten,
  'wrong-archive': asWritten,
  'newer-archive': asWritten,
  'bad-adapter': asWritten,
  'no-rows': () => 'Not a single row was found; check that the file is not empty.',
  'no-eval-rows': () =>
    'No row is held back to evaluate on; raise the share for evaluation, or set eval_strategy to no.',
  'answers-cut': () =>
    'Every answer is cut away by the maximum length, so there is nothing to learn; raise max_length.',
  'no-targets': asWritten,
  'too-long': asWritten,
  'wrong-token': asWritten,
  'bad-row': asWritten,
  'bad-token-id': asWritten,
  unencodable: asWritten,
  'chat-template': asWritten,
  diverged: (d) =>
    `The loss stopped being a number${d.step === undefined ? '' : ` at step ${d.step}`}. The last checkpoint is kept; lower learning_rate and try again.`,
  'no-training': asWritten,
  'not-running': asWritten,
  'no-f16': asWritten,
  'wrong-checkpoint': asWritten,
  runtime: asWritten,
  session: asWritten,
  'prompt-too-long': (d) =>
    `The conversation is too long for this model${d.found === undefined || d.allowed === undefined ? '' : ` (${d.found} tokens, at most ${d.allowed})`}; clear it and ask again.`,
  'second-tab': () =>
    'Inkstone is already open in another tab; go back to that one, or close it and try again.',
  full: () =>
    'The space this device gives to the page is full; delete what you no longer need under Settings or Models and try again.',
  unavailable: () =>
    'The browser lets this page keep no files (a private window, perhaps); nothing will outlive the tab.',
  busy: asWritten,
  'newer-version': () => 'Another tab already runs a newer version; reload this page.',
  failed: asWritten,
  offline: () =>
    'There is no network and this model is not on the device yet; connect and try again.',
  sealed: () =>
    'The seal is closed, so nothing is fetched from other hosts; open it in Settings to download a model.',
  'host-not-allowed': asWritten,
  'bad-request': asWritten,
  gated: asWritten,
  'token-refused': asWritten,
  'rate-limited': asWritten,
  server: asWritten,
  dropped: asWritten,
  'bad-answer': asWritten,
  'wrong-bytes': asWritten,
  'unsupported-files': asWritten,
  'worker-crashed': () => 'The worker stopped. Your checkpoints are safe; start the engine again.',
};
