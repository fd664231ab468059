/**
 * Ends the process when one case does not come back or takes the machine's memory: a loop without an
 * end cannot be interrupted from its own thread, and without this it would hold up the whole suite.
 */
import { Worker } from 'node:worker_threads';

/** Of the processor's time: a case takes microseconds, the slowest some tenths of a second. */
const HANG_CPU_MS = 10_000;
/** Of the clock's, for one that only waits; a busy machine stretches this by ten and more. */
const HANG_MS = 300_000;
const MAX_RSS_BYTES = 4 * 2 ** 30;

/** Told by the thread that works, read by the one that watches. */
const beat = new Int32Array(new SharedArrayBuffer(4));

const WATCH = `
const { workerData: { beat, hangCpuMs, hangMs, maxRssBytes }, parentPort } = require('node:worker_threads');
const { writeSync } = require('node:fs');
let title = '';
let last = -1;
let since = Date.now();
let cpu = process.cpuUsage();
parentPort.on('message', (text) => { title = text; last = -1; });
setInterval(() => {
  const now = Atomics.load(beat, 0);
  if (now !== last || title === '') { last = now; since = Date.now(); cpu = process.cpuUsage(); }
  const rss = process.memoryUsage.rss();
  const isLost = Date.now() - since > hangMs || process.cpuUsage(cpu).user / 1000 > hangCpuMs;
  const why = isLost ? 'does not come back' :
    rss > maxRssBytes ? 'has taken ' + rss + ' bytes' : '';
  if (why) {
    writeSync(2, '\\nfuzz: ' + title + ', case ' + now + ' ' + why + '\\n');
    process.kill(process.pid, 'SIGKILL');
  }
}, 250);
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

/** Its own loop keeps it alive; the thread that it watches may end without it. */
function startWatching(): Worker {
  const workerData = {
    beat,
    hangCpuMs: HANG_CPU_MS,
    hangMs: HANG_MS,
    maxRssBytes: MAX_RSS_BYTES,
  };
  const watching = new Worker(WATCH, { eval: true, workerData });
  watching.unref();
  return watching;
}
