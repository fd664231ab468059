import type { settings as zh } from '../zh/settings';

const n = (value: number) => value.toLocaleString('en');

export const settings: typeof zh = {
  title: 'Settings',
  language: 'Language',
  languageSystem: 'As the browser',
  theme: 'Appearance',
  themes: { system: 'As the system', light: 'Paper', night: 'Night' },
  storage: 'Storage',
  storageUsed: (used, quota) => `${used} used; the browser gives up to ${quota}`,
  storageMeter: 'Space used',
  storageUnknown: 'The browser does not say how much space there is.',
  persisted: 'The browser has promised to keep this data.',
  notPersisted: 'When space runs short, the browser may clear this data.',
  persist: 'Ask the browser to keep it',
  persistHint:
    'If it agrees, only you can clear the data, here or in the browser’s settings. Some browsers ask you, others decide by themselves; nothing is sent anywhere.',
  persistRefused:
    'The browser did not agree this time. Install Inkstone as an app, or use it for a while, then ask again.',
  persistGranted: 'The browser agreed to keep it.',
  notDurable: 'This window keeps nothing (a private window, perhaps): data vanishes with the tab.',
  deleteAll: 'Delete everything',
  deleteAllHint:
    'Deletes imported models, data, runs, adapters, the conversation and the settings.',
  deleteAllTitle: 'Delete everything?',
  deleteAllBody:
    'Imported and merged models, data, runs, adapters, the conversation and the settings will be removed from this device and cannot be brought back. Export what you want to keep first.',
  deleteAllConfirm: 'Delete everything',
  deletedAll: 'Everything was deleted',
  everything: {
    title: 'Everything in one file',
    lead: 'One zip takes along all that you made: imported and merged models, data, runs with their checkpoints, adapters, reports, the conversation and the settings. Catalogue models are not in it; a click brings them again.',
    export: 'Export everything',
    exportHint: 'The file is first written here, so it needs as much free space again.',
    import: 'Import such a file',
    importHint: 'What it has is added to what is here. Nothing here is overwritten or deleted.',
    blocked: 'Something is under way. Once it is done, everything can be exported or imported.',
    stages: {
      export: 'Writing the file',
      read: 'Reading the file’s list',
      compare: 'Comparing with what is here',
      copy: 'Copying',
    },
    progress: (done, total, left) =>
      `${done} of ${total}${left === '' ? '' : ` · about ${left} left`}`,
    exported: (file, size, counts) => `${file} is written (${size}): ${counts}.`,
    onlySettings: 'the settings alone, nothing else was made yet',
    saveAgain: 'Save the file again',
    leftOut: 'Not in the file, because they are no longer whole here:',
    imported: (counts) => `Added: ${counts}.`,
    importedNothing: 'Nothing was added: everything in the file is here already.',
    present: (count) =>
      count === 1 ? '1 item was here already.' : `${n(count)} items were here already.`,
    copies: (count) =>
      count === 1
        ? '1 of them came as a copy, because something else has its place here.'
        : `${n(count)} of them came as copies, because something else has their places here.`,
    cancelled: 'Cancelled. Nothing was changed.',
    counts: {
      models: (count) => (count === 1 ? '1 model' : `${n(count)} models`),
      datasets: (count) => (count === 1 ? '1 data set' : `${n(count)} data sets`),
      runs: (count) => (count === 1 ? '1 run' : `${n(count)} runs`),
      adapters: (count) => (count === 1 ? '1 adapter' : `${n(count)} adapters`),
      evaluations: (count) => (count === 1 ? '1 report' : `${n(count)} reports`),
    },
    and: ', ',
  },
  seal: 'The seal',
  sealLabel: 'Close the seal: refuse every request to other hosts',
  sealOpen:
    'The seal is open: files are fetched from model hosts, and only when you press Download.',
  sealClosed:
    'The seal is closed: this page cannot reach any other host. Everything on this device works as before.',
  ledger: 'Network ledger',
  ledgerLead:
    'Every request that Inkstone ever made to another host is written down here. It only fetches public model files and never uploads.',
  ledgerEmpty: 'No request to another host has ever been made.',
  ledgerCount: (count) => `${n(count)} in all`,
  ledgerTime: 'Time',
  ledgerHost: 'Host',
  ledgerPath: 'File',
  ledgerBytes: 'Size',
  ledgerPurpose: 'Purpose',
  ledgerOutcome: 'Outcome',
  outcomes: {
    ok: 'done',
    pending: 'under way',
    failed: 'failed',
    stopped: 'cancelled',
    refused: 'refused, never sent',
  },
  refresh: 'Refresh',
  about: 'About',
  aboutBody:
    'Inkstone (砚) fine-tunes language models on your own device. It trains with WebGPU programs of its own and talks through onnxruntime-web. The code is public under the Apache-2.0 licence.',
  version: (version) => `Version ${version}`,
  install: 'Install as an app',
  installHint: 'Installed, it opens offline and its data is less likely to be cleared.',
  installed: 'It is installed as an app.',
};
