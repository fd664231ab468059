/** What a page may post to the service worker, with a MessagePort for the answer, and what comes back. */
import type { LedgerEntry } from './ledger';

export interface ServiceWorkerAnswers {
  seal: boolean;
  sealed: boolean;
  ledger: LedgerEntry[];
  version: string;
  /** URLs that could not be cached. */
  keep: string[];
  'keep-bundled': string[];
  'skip-waiting': true;
}

export type ServiceWorkerMessage =
  | { type: 'seal'; closed: boolean }
  | { type: 'sealed' }
  | { type: 'ledger' }
  | { type: 'version' }
  | { type: 'keep'; urls: string[] }
  /** `gpu`: whether the browser has WebGPU, which decides the build of ONNX Runtime to keep. */
  | { type: 'keep-bundled'; gpu: boolean }
  | { type: 'skip-waiting' };

export type ServiceWorkerAnswer = { ok: true; value: unknown } | { ok: false; message: string };

/** On the service worker's 503 while the seal is closed, so that nobody retries it. */
export const SEALED_HEADER = 'x-inkstone-sealed';
