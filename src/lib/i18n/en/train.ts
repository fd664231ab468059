import type { train as zh } from '../zh/train';

const n = (value: number) => value.toLocaleString('en');
const checkpoints = (value: number) => `${n(value)} ${value === 1 ? 'checkpoint' : 'checkpoints'}`;
const rows = (value: number) => `${n(value)} ${value === 1 ? 'row' : 'rows'}`;

const named = (columns: readonly string[], more: number) =>
  `${columns.join(', ')}${more > 0 ? ` and ${n(more)} more` : ''}`;

const SUBJECTS: Readonly<Record<string, string>> = {
  medical: 'Medical questions',
  'customer-service': 'Customer service',
};

export const train: typeof zh = {
  title: 'Train',
  lead: 'Choose the data, settle the recipe, then watch the model learn.',
  model: 'Model to train',
  noModel: 'There is no model to train yet. Open or import one on the Models page first.',
  blocked: 'This device cannot train',
  dataPart: 'Data',
  recipePart: 'Recipe',
  runPart: 'Run',
  historyPart: 'Earlier runs',

  dataLead: 'Each row is one example: a question and the answer you want, or a text to learn.',
  choose: 'Choose data',
  sampleName: (sample) =>
    `${SUBJECTS[sample.subject] ?? sample.subject} (${sample.language === 'zh' ? 'Chinese' : 'English'})${sample.part === 'eval' ? ', held-back questions' : ''}`,
  bundled: 'sample',
  importedData: 'my data',
  dropData: 'Drop JSON, JSONL, CSV or plain text files here',
  dropHint:
    'One or several. Alpaca, prompt/completion, chat messages, ShareGPT, plain text and tokenised rows are understood. Of a .txt or .md file each paragraph is a row; without blank lines, each line.',
  reading: ({ name, place, count }) =>
    count > 1 ? `Reading file ${n(place)} of ${n(count)}: ${name}…` : `Reading ${name}…`,
  readingFiles: (count) => `Reading ${n(count)} files…`,
  filesRead: ({ taken, asked, refused }) => {
    const all = taken + asked + refused;
    const parts = [
      `${n(taken)} read`,
      asked > 0 && `${n(asked)} ${asked === 1 ? 'needs its' : 'need their'} columns explained`,
      refused > 0 && `${n(refused)} not read`,
    ];
    return `${n(all)} ${all === 1 ? 'file' : 'files'}: ${parts.filter(Boolean).join(', ')}.`;
  },
  schema: {
    alpaca: 'Alpaca',
    'prompt-completion': 'prompt / completion',
    messages: 'chat messages',
    sharegpt: 'ShareGPT',
    text: 'plain text',
    tokenised: 'tokenised',
    unknown: 'not recognised',
  },
  rowsReady: (count) => `${rows(count)} ready`,
  duplicates: (count) => `${n(count)} ${count === 1 ? 'is a duplicate' : 'are duplicates'}`,
  problemsTitle: (count) => `${n(count)} ${count === 1 ? 'thing' : 'things'} to look at`,
  problemsShown: (shown, all) => `The first ${n(shown)} of ${n(all)}`,
  problemRow: 'Row',
  problemField: 'Field',
  problemFound: 'Found',
  problemWhat: 'Problem',
  problemKinds: {
    'not-json': 'Not JSON',
    'not-an-object': 'Not a JSON object',
    'empty-row': 'The row is empty',
    'missing-field': 'The field is missing',
    'extra-fields': 'More fields than the header has',
    'wrong-type': 'Of the wrong type',
    'empty-field': 'Nothing in it',
    'empty-output': 'The answer is empty',
    'unknown-role': 'Unknown role',
    'no-answer': 'No answer by the assistant',
    'wrong-weight': 'The weight of an answer is 1 (learned) or 0 (not learned)',
    'no-weight': 'Every answer has weight 0: nothing to learn; leave the row out',
    'tool-call':
      'A tool call cannot be learned from; leave the turn out, or write it as text in content',
    'not-text': 'Only parts of text can be learned from; leave the pictures and sounds out',
    'not-a-pair': 'Each entry of the history is a pair: question, answer',
    'system-twice': 'Differs from the column system; keep one of the two',
    'too-many-turns': 'More turns than are allowed; split the conversation',
    'length-mismatch': 'input_ids and labels differ in length',
    'out-of-range': 'Out of range',
  },
  problemOther: 'Not what is expected here',
  mappingTitle: 'What do these columns hold?',
  mappingBody: (columns, more) =>
    `The file has the columns ${named(columns, more)}, which fit none of the known forms. Say what a row is and which column holds what; your file is not changed.`,
  rowForm: 'What is a row?',
  rowForms: {
    qa: 'A question and its answer',
    chat: 'A chat',
    text: 'Plain text',
    tokens: 'Token ids',
  },
  rowFormHints: {
    qa: 'With a system text or earlier turns, where the file has them.',
    chat: 'A list of turns: role and content, or from and value.',
    text: 'All of it is learned; there is no question.',
    tokens:
      'Lists of whole numbers, by the tokenizer of the model to train. Without labels all of them are learned; with labels, all but -100.',
  },
  mappingRoles: {
    instruction: 'Question (instruction)',
    input: 'Further text (input)',
    output: 'Answer (output)',
    system: 'System text (system)',
    history: 'Earlier turns (history)',
    messages: 'Turns (messages)',
    text: 'Text (text)',
    input_ids: 'Token ids (input_ids)',
    labels: 'Labels (labels)',
  },
  mappingMissing: (fields) => `Still to choose: ${fields}`,
  mappingNone: 'None',
  mappingApply: 'Read it this way',
  readAnotherWay: 'Read it another way',
  readAnotherWayBody:
    'The rows that were just read from this file are replaced, unless a run has used them.',
  nothingUsable: (form) =>
    `Read as “${form}”, the file has no row that can be used. Mend what is listed below and drop it again, or read it another way.`,
  notUsed: (columns, more) => `Not used: ${named(columns, more)}`,
  rowsTitle: 'Look through the rows',
  instruction: 'Question',
  input: 'Further text',
  output: 'Answer',
  wholeText: 'Text',
  previewTitle: 'What the model will see',
  previewLead:
    'Tokens on a tint count towards the loss: they are what it learns. The rest is the question.',
  previewRow: (index) => `Row ${n(index)}`,
  previewCounts: (total, learned) => `${n(total)} tokens, of which ${n(learned)} count`,
  previewTruncated: 'This row is longer than the maximum length, so its end is cut off.',
  previewMask: { start: 'start of the part that counts', end: 'end of the part that counts' },
  deleteDataTitle: 'Delete this data?',
  deleteDataBody: (name) =>
    `${name} will be removed from Inkstone. The file on your disk is not touched.`,
  deleteDataNeeded: (runs) =>
    `These runs are not finished and learn from it: ${runs}. They can go on only after the same file is imported again.`,
  heldBack: 'Share held back for evaluation',
  heldBackHint:
    'These rows are kept out of training: while it trains, and on the Evaluate page, they show how well it learned.',
  evalSetTip:
    'Do you have evaluation data of your own? Bring it in under Data, choose the training data again, and it is offered here.',
  evalSet: 'Evaluation data',
  evalSetBundled: 'The questions that come with the sample',
  evalSetShare: 'Hold back a part of this data',
  evalSetOwn: 'Another of my data sets',
  evalSetWhich: 'Data to evaluate on',
  evalSetWhichHint: 'All of it shows how well it learned; none of it is learned from.',

  start: 'Start training',
  startMissingData: 'Choose data first',
  startMissingModel: 'Choose a model first',
  predicted: (memory, steps, kept, peak, keepsBest) =>
    `About ${memory} of graphics memory, ${n(steps)} ${steps === 1 ? 'step' : 'steps'}, about ${kept} of storage for checkpoints${keepsBest ? ', the best beside the newest' : ''}${peak === kept ? '' : `, ${peak} while one is being saved`}.`,
  predictedTime: (time, step) => `About ${time} on this device, ${step} a step.`,
  predict: 'Tell what it will take',
  predictHint: 'Memory, time and space of this run.',
  measureTime: 'Measure the time',
  measureTimeHint: 'Opens the model and takes a step with it.',
  downloadsFirst: (size) => `The model is not on this device yet: ${size} are downloaded first.`,
  fp16Faster: (time, times) =>
    `With 16-bit products this run would take about ${time} on this device, ${times} times as fast; losses differ by a few ten-thousandths at most.`,
  fp16Slower: (time, times) =>
    `On this device 16-bit products are slower: without them this run would take about ${time}, ${times} times as fast.`,
  fp16Turn: { on: 'Turn on 16-bit products', off: 'Turn off 16-bit products' },
  fp16Turned: { on: '16-bit products are on.', off: '16-bit products are off.' },
  measuringTime: 'Measuring how long it will take…',
  memoryPartsTitle: 'What takes the memory',
  memoryParts: {
    weights: 'Weights of the model',
    adapter: 'Adapter',
    optimizer: 'Gradients and momenta',
    activations: 'Intermediate results',
    inputs: 'Inputs and tables',
  },
  applySuggestion: 'Make this change',
  storageShort: (needed, free, remedy) =>
    `Saving its checkpoints takes up to about ${needed}, and this device has ${free} left for the page. ${remedy}`,
  storageFits: (limit, needed) =>
    `Free some space first, or keep no more than ${checkpoints(limit)} (save_total_limit): then it takes up to about ${needed}, which fits.`,
  storageNeverFits: 'Free some space first: keeping fewer checkpoints would not be enough.',
  keepCheckpoints: (limit) => `Keep no more than ${checkpoints(limit)}`,
  preparing: 'Preparing…',
  preparingParts: {
    rows: 'Turning the rows into tokens…',
    adapter: 'Working out where the adapter starts…',
  },
  pause: 'Pause',
  resume: 'Continue',
  talkPaused: (step) => `Talk to it as of step ${n(step)}`,
  talkPausedLater: 'Once the first checkpoint is saved, you can talk to it here while it pauses.',
  stopKeep: 'Stop and keep',
  stopDiscard: 'Stop and discard',
  discardTitle: 'Discard this run?',
  discardBody:
    'Everything this run has learned will be lost for good. To keep what it has so far, choose Stop and keep.',
  keepInstead: 'Stop and keep',
  status: {
    running: 'running',
    paused: 'paused',
    finished: 'finished',
    stopped: 'stopped',
    interrupted: 'interrupted',
    failed: 'failed',
  },
  progress: (step, total) => `Step ${n(step)} of ${n(total)}`,
  epoch: (epoch) => `epoch ${epoch}`,
  timeLeft: 'Time left',
  elapsed: 'Time taken',
  loss: 'Loss',
  gradNorm: 'Gradient norm',
  learningRate: 'Learning rate',
  speed: 'Speed',
  memory: 'Graphics memory',
  rowsUsed: (train, held) => `${rows(train)} to learn from, ${n(held)} held back`,
  rowsCut: (count, maxLength) =>
    `${rows(count)} ${count === 1 ? 'has its answer' : 'have their answers'} cut off at the maximum length of ${n(maxLength)} tokens.`,
  textsSplit: (texts, parts, maxLength) =>
    `${n(texts)} long ${texts === 1 ? 'text is' : 'texts are'} learned in ${n(parts)} parts of at most ${n(maxLength)} tokens.`,
  lossCurve: 'Loss curve',
  lossCurveSummary: (first, last) => `The loss went from ${first} to ${last}.`,
  curveWaiting: 'The curve appears here with the first logged step.',
  samplesTitle: 'The same question, a changing answer',
  samplesEmpty: 'As it learns, the model answers these questions.',
  sampleTooLong: (question) =>
    `“${question}” is longer than this model can read, so it is not asked. Training goes on; ask shorter questions next time.`,
  sampleFailed: (step, reason) =>
    `There is no answer for step ${n(step)}: ${reason} Training goes on without it.`,
  samplesBefore: 'before',
  sampleAtStep: (step) => `step ${n(step)}`,
  samplePrompts: 'Questions it is asked as it learns',
  samplePromptsHint: 'One question a line, four at most. The answers show how it changes.',
  sampleEvery: 'Ask every so many steps',
  sampleEveryHint: 'At 0 six times in the run, less often where answers take long.',
  sampleLength: 'Longest of these answers',
  sampleLengthHint: 'In tokens. Longer answers take longer; one that is cut says so.',
  sampleCut: (tokens) => `Cut after ${n(tokens)} ${tokens === 1 ? 'token' : 'tokens'}.`,
  checkpointSaved: (step) => `The checkpoint of step ${n(step)} is saved`,
  checkpointsTitle: 'Checkpoints',
  checkpointsEmpty: 'There are no checkpoints yet.',
  checkpointNewest: 'newest',
  checkpointBest: 'best',
  deleteCheckpointTitle: 'Delete this checkpoint?',
  deleteCheckpointBody: (step) =>
    `The checkpoint of step ${n(step)} will be deleted. What it learned cannot be brought back.`,
  deleteCheckpointNeeded:
    'Its run is not finished and would go on from here; without it the run can only start again from the beginning.',
  deleteRoundNeeded: (runs) =>
    `These runs are not finished and start from it: ${runs}. Without it they cannot start again.`,
  storageFullTitle: 'The space this device gives to the page is full',
  storageFullGoing: (step) =>
    `The checkpoint of step ${n(step)} could not be saved. Training goes on and earlier checkpoints are safe; once there is room, the next one is saved as usual.`,
  storageFullPaused: (step) =>
    `What it learned by step ${n(step)} could not be saved: it is in graphics memory while the run is paused, and lost if you leave this page. Earlier checkpoints are safe. Free some space, then press Continue; the next checkpoint is saved as usual.`,
  storageFullWaiting:
    'The last checkpoint is not saved yet; what was learned is still in graphics memory. Free some space, then press Continue to save it. If you leave without that, the run can only go on from the checkpoint before.',
  inFront: 'Keep this tab in front: browsers slow what they do not show.',
  hiddenWarning: (time) =>
    `This page was in the background for ${time}. Browsers slow what they do not show, and the training with it; keep this tab in front.`,
  wakeLock: 'The screen stays on while it trains.',
  finishedTitle: 'Training is finished',
  stoppedTitle: 'Training was stopped',
  failedTitle: 'Training did not finish',
  finishedBody: (step, total, loss, time) =>
    `${step === total ? `${n(total)} ${total === 1 ? 'step' : 'steps'}` : `${n(step)} of ${n(total)} steps`} in ${time}; the last loss is ${loss}.`,
  endedEarly: (step, total, evaluations) =>
    `It ended early, at step ${n(step)} of ${n(total)}: ${evaluations === 1 ? 'the last evaluation was no better' : `no better for ${n(evaluations)} evaluations in a row`}.`,
  endsWithBest: (step, figure) =>
    `It ends with its best checkpoint: step ${n(step)}${figure && `, ${figure}`}.`,
  bestSoFar: (step, figure) =>
    `Its best checkpoint so far is that of step ${n(step)}${figure && ` (${figure})`}; chat, evaluation and export use it.`,
  bestFigure: {
    eval_loss: (value) => `evaluation loss ${value}`,
    eval_mean_token_accuracy: (value) => `token accuracy ${value}`,
  },
  noAdapter: 'No checkpoint was kept of this run.',
  next: 'What next',
  tryChat: 'Talk to it',
  tryEvaluate: 'Evaluate it',
  takeAway: 'Merge or export',
  trainAgain: 'Train again',
  goOnFrom: (step) => `Go on from step ${n(step)}`,
  goOnSlower: (step) => `Go on from step ${n(step)} at a third of the rate`,
  goOnSlowerHint: (steps, rate) =>
    `At the same rate it would come to the same step again. A run of its own can start from the last checkpoint and take the remaining ${n(steps)} ${steps === 1 ? 'step' : 'steps'} at a learning rate of ${rate}; the record and the checkpoints of this one stay as they are.`,
  announceStart: (steps) => `Training has started: ${n(steps)} steps.`,
  announceProgress: (percent, loss) => `${percent} done, loss ${loss}.`,
  announcePaused: 'Training is paused.',
  announceResumed: 'Training goes on.',
  announceEnd: {
    finished: (_step, total) =>
      `Training is complete: ${n(total)} ${total === 1 ? 'step' : 'steps'}`,
    early: (step, total, evaluations) =>
      `Training ended early, at step ${n(step)} of ${n(total)}, because ${evaluations === 1 ? 'the last evaluation was no better' : `${n(evaluations)} evaluations in a row were no better`}`,
    stopped: (step, total) => `Training stopped at step ${n(step)} of ${n(total)} and was kept`,
    discarded: (step, total) =>
      `Training stopped at step ${n(step)} of ${n(total)}, and nothing of it was kept`,
    failed: (step, total) => `Training broke off at step ${n(step)} of ${n(total)}`,
    notStarted: 'Training did not start.',
    lastLoss: (loss) => `last loss ${loss}`,
    best: (step, figure) => `best checkpoint at step ${n(step)}${figure && `, ${figure}`}`,
    whole: (head, time, figure) =>
      `${[head, [time && `it took ${time}`, figure].filter(Boolean).join(', ')].filter(Boolean).join('; ')}.`,
  },

  historyEmpty: 'There are no runs yet.',
  historyResume: 'Go on training',
  historyRestart: 'Start again',
  historyOpen: 'Show',
  historyHide: 'Hide',
  deleteRunTitle: 'Delete this run?',
  deleteRunBody: (name) =>
    `The record and the checkpoints of ${name} will be deleted and cannot be brought back.`,
  deleteRunKeep: 'Keep the newest adapter',
  deleteRunKeepBest: 'Keep the best checkpoint',
  deleteRunKeepHint: 'You can go on talking to it, evaluating it and exporting it.',
  renameTitle: 'Rename this run',
  finalLoss: (loss) => `loss ${loss}`,
  statusEarly: 'finished early',
  bestAt: (step) => `best: step ${n(step)}`,
  runFacts: 'Settings and results',
  rowsPerStep: 'Rows per step',
  evalData: 'Evaluation data',
  evalShareOf: (share) => `${share} of the training data`,
  device: 'Device',
  peakMemory: 'Most graphics memory',
  changedSettings: 'Settings other than the common recipe’s',
  changedNone: 'All other settings are those of the common recipe.',
  valueAtStep: (value, step) => `${value} (step ${n(step)})`,
  runName: (dataset, when) => `${dataset} · ${when}`,
};
