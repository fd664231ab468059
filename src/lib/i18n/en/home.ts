import type { home as zh } from '../zh/home';

const n = (value: number) => value.toLocaleString('en');

export const home: typeof zh = {
  title: 'Grind your own examples into a model of your own',
  lead: 'Inkstone fine-tunes language models in the browser: bring questions and answers, watch it learn, merge the result and take it away.',
  privacy: 'Everything you put in stays on this device. We have no server.',
  startTour: 'Run the whole tour on sample data',
  tourTakes:
    'It uses the small model and the sample that come with the page. Nothing is downloaded; it takes a few minutes.',
  chatInstead: 'Talk to the bundled model',
  ownData: 'Use my own data',
  deviceTitle: 'What this device can do',
  deviceLoading: 'Looking at this device…',
  compute: 'Compute',
  webgpu: (adapter) =>
    `WebGPU is available${adapter ? ` on ${adapter}` : ''}. You can train and chat.`,
  softwareWebgpu: (adapter) =>
    `WebGPU is here, but the processor computes it${adapter ? ` (${adapter})` : ''}: training works, slowly. Chat uses the processor directly and is quick with small models. If this device has a graphics card, turn on hardware acceleration in the browser settings.`,
  wasm: 'There is no WebGPU. You can chat on the processor, but not train.',
  precision: 'Precision',
  float32: 'Arithmetic is done in 32 bits, unless a run is told otherwise.',
  memory: 'Graphics memory',
  bufferLimit: (bytes) =>
    `One buffer may take up to ${bytes}: room for models from a few million to a billion parameters.`,
  bufferSmall: (bytes) => `One buffer may take up to ${bytes}; choose one of the smaller models.`,
  offline: 'Offline',
  offlineReady:
    'Works without a network: the page, the bundled model and the samples are on this device.',
  offlinePreparing:
    'The page, the bundled model and the samples are being kept on this device; after that it works without a network.',
  offlineMissing:
    'The files for working offline are not all here yet; open this page once more while you are online.',
  storage: 'Storage',
  storageGood: (free) => `About ${free} are free; models and runs are kept on this device.`,
  storageLow: (free) =>
    `Only about ${free} are left, which is too little for a large model; you can clear space in Settings.`,
  storageNotDurable:
    'This window keeps nothing (a private window, perhaps): results vanish with the tab, so export what you want to keep.',
  storageNotPersisted:
    'The browser may clear this data when space runs short; in Settings you can ask it not to.',
  blockedTitle: 'Training is not possible here',

  tourTitle: 'The whole tour',
  tourSteps: {
    open: 'Open the bundled model',
    data: 'Take the sample data',
    before: 'Ask before tuning',
    train: 'Train',
    after: 'Ask again after tuning',
    evaluate: 'Evaluate on unseen questions',
    export: 'Pack the files to take away',
  },
  tourIntro:
    'The sample holds medical questions and answers. The bundled model was never taught medicine, so you can see exactly what tuning adds.',
  tourState: {
    waiting: 'waiting',
    running: 'under way',
    done: 'done',
    failed: 'not finished',
  },
  pause: 'Pause',
  resume: 'Continue',
  stop: 'Stop the tour',
  again: 'Run it again',
  tourPaused: 'The tour is paused. Press Continue to go on.',
  tourCancelled: 'The tour was stopped. What it had finished is kept.',
  tourRows: (train, held) => `${n(train)} rows to learn from, ${n(held)} held back for the test`,
  tourLoss: (loss) => `loss ${loss}`,
  tourQuestion: 'Question',
  tourBefore: 'Before',
  tourAfter: 'After',
  noAnswerYet: 'No answer yet',
  resultsTitle: 'What it learned',
  measure: 'Measure',
  accuracy: 'Accuracy',
  rougeL: 'ROUGE-L',
  speed: 'Speed (tokens/s)',
  resultsNote: (count) =>
    `Measured on ${n(count)} ${count === 1 ? 'question' : 'questions'} that it did not see in training.`,
  saveAdapter: (size) => `Save the adapter (${size})`,
  lookFurther: 'Look further',
  toTrain: 'See the loss curve and the run',
  toChat: 'Let both models answer side by side',
  toEvaluate: 'Compare the answers one by one',
  toModels: 'Merge and export the model',
  howTitle: 'Three steps, all on this one device',
  how: [
    {
      title: 'Bring examples',
      body: 'JSON, JSONL, CSV or plain text. Where a row or a field is wrong, you are shown which.',
    },
    {
      title: 'Watch it learn',
      body: 'The loss falls step by step and answers to the same question get better. Stop whenever you like.',
    },
    {
      title: 'Take the model away',
      body: 'Export a PEFT adapter, or merge into safetensors and ONNX that other programs load as they are.',
    },
  ],
};
