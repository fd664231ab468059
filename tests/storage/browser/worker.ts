/** Runs in a dedicated worker, or in a window: the contracts over OPFS and IndexedDB, and probes. */
import {
  estimateStorage,
  holdLock,
  isLockHeld,
  openFiles,
  openTables,
} from '../../../src/lib/storage';
import { FILE_STORE_CONTRACT } from '../file-store-contract';
import { TABLES_CONTRACT } from '../tables-contract';

/** [title, error or ''] of each case. */
type Outcome = [string, string];

async function attempt(title: string, work: () => Promise<void>): Promise<Outcome> {
  try {
    await work();
    return [title, ''];
  } catch (error) {
    return [title, error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
}

let count = 0;

const errorFields = (error: unknown): unknown => {
  const { code, message, retryable, details } = error as Record<string, unknown>;
  return { code, message, retryable, details };
};

const probes = {
  async files(): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const { title, run } of FILE_STORE_CONTRACT) {
      const store = await openFiles(`contract-${count++}`);
      outcomes.push(await attempt(title, () => run(store)));
      await store.remove('').catch(() => undefined);
    }
    return outcomes;
  },

  async tables(): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const { title, run } of TABLES_CONTRACT) {
      const tables = openTables(`contract-${count++}`);
      outcomes.push(await attempt(title, () => run(tables)));
      tables.close();
    }
    return outcomes;
  },

  /** Leaves a temporary file as a killed tab does, opens the store again, says what is there. */
  async leftovers(): Promise<string[]> {
    const origin = await navigator.storage.getDirectory();
    const folder = await origin.getDirectoryHandle('leftovers', { create: true });
    const inner = await folder.getDirectoryHandle('models', { create: true });
    for (const name of ['half.bin.1234.tmp~', 'whole.bin', 'resumable.part']) {
      await inner.getFileHandle(name, { create: true });
    }
    await openFiles('leftovers');
    const names: string[] = [];
    for await (const name of inner.keys()) names.push(name);
    return names.sort();
  },

  /** Fills a small quota: the error, then what is left of the file that was being replaced. */
  async full(): Promise<unknown> {
    const store = await openFiles('full');
    await store.writeFile('kept', new Uint8Array([1, 2, 3]));
    const piece = new Uint8Array(1 << 20);
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 64; n++) {
        await Promise.resolve();
        yield piece;
      }
    }
    const error = await store.writeFile('kept', endless()).then(() => 'no error', errorFields);
    const after = await store.list('');
    return { error, after: after.map(({ path, sizeBytes }) => [path, sizeBytes]) };
  },

  async fullTable(): Promise<unknown> {
    const tables = openTables('full-table');
    const rows = Array.from({ length: 64 }, (_, n) => ({
      n,
      bytes: crypto.getRandomValues(new Uint8Array(65536)),
    }));
    let error: unknown = 'no error';
    for (let n = 0; n < 16 && error === 'no error'; n++) {
      error = await tables.appendRows('d', rows).then(() => 'no error', errorFields);
    }
    const counted = await tables.countRows('d');
    return { error, wholeAppends: counted % 64 === 0 };
  },

  holdForever(name: string): Promise<string> {
    return new Promise((held) => {
      void holdLock(name, {}, () => {
        held('held');
        return new Promise(() => undefined);
      }).catch((error: unknown) => held(String((error as { code: unknown }).code)));
    });
  },

  tryLock: (name: string): Promise<unknown> =>
    holdLock(name, {}, () => Promise.resolve('free')).catch(errorFields),

  isHeld: (name: string): Promise<boolean> => isLockHeld(name),

  estimate: () => estimateStorage(),

  /** An old tab with tables open while a newer app migrates: the newer one must not wait for ever. */
  async giveWay(): Promise<unknown> {
    const tables = openTables('migrating');
    await tables.put('settings', { id: 'a', schemaVersion: 1 });
    await new Promise<void>((done, fail) => {
      const request = indexedDB.open('migrating', 99);
      request.onsuccess = () => done();
      request.onerror = () => fail(new Error('the newer app could not open'));
    });
    const old = await tables.get('settings', 'a').catch(errorFields);
    const reloaded = await openTables('migrating').get('settings', 'a').catch(errorFields);
    return { old, reloaded };
  },

  /** The data outlives the connection. */
  async reopen(): Promise<unknown> {
    const first = openTables('reopened');
    await first.put('runs', { id: 'a', schemaVersion: 1 });
    first.close();
    return [await openTables('reopened').get('runs', 'a'), await first.get('runs', 'a')];
  },

  async writeSpeed(): Promise<number> {
    const store = await openFiles('speed');
    const piece = new Uint8Array(1 << 20).fill(1);
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 64; n++) {
        await Promise.resolve();
        yield piece;
      }
    }
    const start = performance.now();
    await store.writeFile('big', source());
    const megabytesPerSecond = 64 / ((performance.now() - start) / 1000);
    await store.remove('');
    return megabytesPerSecond;
  },
};

export type Probe = keyof typeof probes;

const run = (name: Probe, input: string): Promise<unknown> =>
  (probes[name] as (input: string) => Promise<unknown>)(input);

if (typeof document === 'undefined') {
  addEventListener('message', (event: MessageEvent<{ name: Probe; input: string }>) => {
    const answer = (value: unknown): void => (postMessage as (message: unknown) => void)(value);
    run(event.data.name, event.data.input).then(
      (value) => answer({ value }),
      (error: unknown) => answer({ error: String(error) }),
    );
  });
} else {
  (globalThis as { probe?: typeof run }).probe = run;
}
