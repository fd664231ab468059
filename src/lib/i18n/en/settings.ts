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
