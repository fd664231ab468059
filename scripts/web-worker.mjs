// The browser's Worker over Node's threads, as far as the bench's peers use it: a script in a blob, messages both
// ways, `onmessage` and `onerror`. Threads do not keep the process alive.
import { resolveObjectURL } from 'node:buffer';
import { Worker } from 'node:worker_threads';

const GLOBALS = `
const { parentPort } = require('node:worker_threads');
const self = globalThis;
globalThis.postMessage = (value) => parentPort.postMessage(value);
parentPort.on('message', (data) => self.onmessage({ data }));
`;

export class WebWorker {
  onmessage = undefined;
  onerror = undefined;
  #thread;

  /** @param {string} url of a blob */
  constructor(url) {
    this.#thread = resolveObjectURL(url)
      .text()
      .then((text) => {
        const thread = new Worker(GLOBALS + text, { eval: true });
        thread.unref();
        thread.on('message', (data) => this.onmessage?.({ data }));
        thread.on('error', (error) => this.onerror?.({ message: error.message }));
        return thread;
      });
  }

  postMessage(value) {
    void this.#thread.then((thread) => thread.postMessage(value));
  }
}
