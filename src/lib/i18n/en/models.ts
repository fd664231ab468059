import type { models as zh } from '../zh/models';

const n = (value: number) => value.toLocaleString('en');

export const models: typeof zh = {
  title: 'Models',
  lead: 'Open a model to train it or talk to it, or bring a model folder of your own.',
  listTitle: 'Models',
  loading: 'Reading the list of models…',
  empty: 'There are no models yet. Drop a model folder in Hugging Face form, or its zip, below.',
  origin: {
    bundled: 'bundled',
    catalogue: 'catalogue',
    imported: 'imported',
    merged: 'merged here',
  },
  present: 'on this device',
  absent: 'to be downloaded',
  isOpen: 'open',
  parameters: (count) => `${count} parameters`,
  licence: (name) => `Licence: ${name}`,
  languages: (list) => `Languages: ${list}`,
  open: 'Open',
  download: (size) => `Download and open (${size})`,
  downloadSealed: 'The seal is closed: no downloads',
  downloadOffline: 'Offline: cannot download now',
  trainThis: 'Train it',
  chatThis: 'Talk to it',
  closeModel: 'Close',
  opening: (name) => `Opening ${name}`,
  stage: {
    download: 'Downloading',
    read: 'Reading the files',
    upload: 'Moving into graphics memory',
    compile: 'Preparing the compute programs',
  },
  opened: (name, gpu) => `${name} is open and takes ${gpu} of graphics memory`,
  deleteTitle: 'Delete this model?',
  deleteBody: (name, size) =>
    `${name} (${size}) will be removed from this device. Adapters trained on it are kept, but cannot be used without it.`,
  deleteNeeded: (runs) =>
    `These runs are not finished and train it: ${runs}. They can go on only once the same model is here again.`,
  deleted: (name) => `${name} was deleted`,
  importTitle: 'Import a model',
  importBody:
    'Bring a folder with config.json, tokenizer.json and safetensors, or a zip of it. Llama, Mistral, Qwen2 and Qwen3 are supported.',
  importDrop: 'Drop a model folder or zip here',
  importing: 'Importing…',
  imported: (name) => `${name} was imported`,

  adaptersTitle: 'Adapters',
  adaptersLead:
    'Each training run makes an adapter: a small file of a few hundred kilobytes that holds what the model learned.',
  adaptersEmpty: 'There are no adapters yet. Train one, or import one made elsewhere with PEFT.',
  adapterOrigin: { trained: 'trained here', imported: 'imported' },
  adapterOf: (model) => `for ${model}`,
  methodNames: { full: 'full fine-tuning', prefix: 'prefix tuning' },
  createdAt: (when) => when,
  importAdapter: 'Import a PEFT adapter',
  importAdapterBody:
    'Bring adapter_config.json and adapter_model.safetensors, or a zip that holds them.',
  importAdapterDrop: 'Drop the adapter files here',
  forModel: 'Base model that it belongs to',
  adapterImported: (name) => `The adapter ${name} was imported`,
  olderCheckpoints: (count) => `${n(count)} earlier ${count === 1 ? 'checkpoint' : 'checkpoints'}`,
  deleteAdapterTitle: 'Delete this adapter?',
  deleteAdapterBody: (name) =>
    `${name} will be deleted. What it learned is kept nowhere else and cannot be brought back.`,

  takeTitle: 'Merge and export',
  takeLead:
    'Take the adapter away, or merge it with its base into a new model. The files are written on this device, straight to your disk.',
  takeModel: 'Model',
  takeAdapter: 'Adapter',
  takeFormat: 'Format',
  formats: {
    peft: {
      name: 'PEFT adapter',
      body: 'A few hundred kilobytes. Python’s PEFT loads it. With it go its description and, of a run, trainer_state.json.',
    },
    safetensors: {
      name: 'safetensors model',
      body: 'The whole merged model folder. transformers loads it.',
    },
    onnx: { name: 'ONNX model', body: 'The merged model as an ONNX folder. onnxruntime runs it.' },
  },
  export: 'Export as zip',
  exporting: 'Writing…',
  exported: (file) => `${file} is written`,
  saveAgain: 'Save it again',
  merge: 'Merge into a new model',
  mergeHint: 'The merged model appears in the list above and can be trained further.',
  mergedFrom4Bit:
    'This adapter learned over weights in 4 bits. Merged, it is added to the full weights, so answers may differ a little from those given here; the adapter’s own files stay as they are.',
  mergedName: (model, adapter) => `${model} + ${adapter}`,
  merging: 'Merging…',
  merged: (name) => `Merged into ${name}`,
  needAdapter: 'To merge or to export PEFT files, train or import an adapter first.',
};
