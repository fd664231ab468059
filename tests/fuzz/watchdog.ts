/**
 * Ends the process when one case does not come back or takes the machine's memory: a loop without an
 * end cannot be interrupted from its own thread, and without this it would hold up the whole suite.
 */
import { Worker } from 'node:worker_threads';

/** A case takes microseconds, the slowest some tenths of a second, on a busy machine too. */
const HANG_MS = 20_000;
const MAX_RSS_BYTES = 4 * 2 ** 30;

/** Told by the thread that works, read by the one that watches. */
const beat = new Int32Array(new SharedArrayBuffer(4));

const WATCH = `
const { workerData: { beat, hangMs, maxRssBytes }, parentPort } = require('node:worker_threads');
const { writeSync } = require('node:fs');
let title = '';
let last = -1;
let since = Date.now();
parentPort.on('message', (text) => { title = text; since = Date.now(); });
parentPort.unref();
setInterval(() => {
  const now = Atomics.load(beat, 0);
  if (now !== last || title === '') { last = now; since = Date.now(); }
  const rss = process.memoryUsage.rss();
  const why = Date.now() - since > hangMs ? 'does not come back' :
    rss > maxRssBytes ? 'has taken ' + rss + ' bytes' : '';
  if (why) {
    writeSync(2, '\\nfuzz: ' + title + ', case ' + now + ' ' + why + '\\n');
    process.kill(process.pid, 'SIGKILL');
  }
}, 250).unref();
`;

let worker: Worker | undefined;

/** Names what is watched from now on; '' rests. */
export function watch(title: string): void {
  worker ??= startWatching();
  worker.postMessage(title);
}

/** The case under way. */
export function reportCase(index: number): void {
  Atomics.store(beat, 0, index);
}

function startWatching(): Worker {
  const workerData = { beat, hangMs: HANG_MS, maxRssBytes: MAX_RSS_BYTES };
  const watching = new Worker(WATCH, { eval: true, workerData });
  watching.unref();
  return watching;
}
