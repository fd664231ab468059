/** The page of the lifeline tests: each probe connects to a worker of its own. */
import { connect } from '../../../src/lib/rpc';
import type { MortalApi } from './api';

interface Outcome {
  /** Codes of pending calls, and of one made afterwards. */
  codes: string[];
  crashes: string[];
  elapsedMs: number;
}

function start(script = '/worker.js', firstSignMs?: number) {
  const crashes: string[] = [];
  const worker = new Worker(script, { type: 'module' });
  const onCrash = ({ message }: { message: string }) => crashes.push(message);
  const remote = connect<MortalApi>(worker, { onCrash, firstSignMs });
  return { remote, crashes };
}

function holdThread(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    (value) => `answered ${String(value)}`,
    ({ code }: { code: string }) => code,
  );

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Locks that workers hold or that we wait for: two for each worker that lives. */
async function countLocks(): Promise<number> {
  const { held = [], pending = [] } = await navigator.locks.query();
  return held.length + pending.length;
}

export const probes = {
  async vanish(): Promise<Outcome> {
    const before = await countLocks();
    const { remote, crashes } = start();
    while ((await countLocks()) < before + 2) await sleep(10);
    const begin = performance.now();
    const pending = [codeOf(remote.wait()), codeOf(remote.vanish())];
    const codes = await Promise.all(pending);
    const elapsedMs = performance.now() - begin;
    codes.push(await codeOf(remote.double(2)));
    return { codes, crashes, elapsedMs };
  },

  async busy(): Promise<Outcome> {
    const { remote, crashes } = start();
    const begin = performance.now();
    const codes = [await codeOf(remote.holdThread({ ms: 3000 })), await codeOf(remote.double(2))];
    await sleep(500);
    return { codes, crashes, elapsedMs: performance.now() - begin };
  },

  async dispose(): Promise<Outcome> {
    const { remote, crashes } = start();
    await remote.double(1);
    const begin = performance.now();
    const pending = codeOf(remote.wait());
    remote.dispose();
    const codes = [await pending];
    await sleep(500);
    return { codes, crashes, elapsedMs: performance.now() - begin };
  },

  /** Ends before it has said a word. */
  async stillborn(): Promise<Outcome> {
    const begin = performance.now();
    const { remote, crashes } = start('/stillborn.js', 1500);
    const codes = await Promise.all([codeOf(remote.double(1)), codeOf(remote.wait())]);
    const elapsedMs = performance.now() - begin;
    codes.push(await codeOf(remote.double(2)));
    return { codes, crashes, elapsedMs };
  },

  /** Takes its time to begin, while this page is held up for longer than it would wait. */
  async slowBirth(heldUpMs: number): Promise<Outcome> {
    const begin = performance.now();
    const { remote, crashes } = start('/slow.js', 4000);
    const call = codeOf(remote.double(3));
    await sleep(50);
    holdThread(heldUpMs);
    const codes = [await call];
    await sleep(4500);
    codes.push(await codeOf(remote.double(4)));
    return { codes, crashes, elapsedMs: performance.now() - begin };
  },

  locks: countLocks,
};

export type Probes = typeof probes;

Object.assign(globalThis, { probes });
