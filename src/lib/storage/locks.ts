/**
 * One holder at a time over all tabs, by Web Locks; the browser frees a lock when its tab dies. Where
 * there are none (Node 20) a lock holds within this thread alone.
 */
import { StorageError } from './errors';

/** Held while a model trains, so that no other tab trains and no update restarts the page. */
export const RUN_LOCK = 'inkstone:run';

/** Held while everything is exported or imported, so that nothing is cleaned away under it. */
export const ARCHIVE_LOCK = 'inkstone:archive';

const heldHere = new Set<string>();

/**
 * Runs `work` while holding the lock. Throws StorageError 'second-tab' at once when it is taken. The
 * signal is for the caller's own waiting before the lock is asked for: once held, `work` minds it.
 */
export async function holdLock<Result>(
  name: string,
  options: { signal?: AbortSignal },
  work: () => Promise<Result>,
): Promise<Result> {
  options.signal?.throwIfAborted();
  const locks = lockManager();
  if (!locks) return holdHere(name, work);
  // The platform refuses `signal` together with `ifAvailable`.
  return (await locks.request(name, { ifAvailable: true }, (lock) => {
    if (!lock) throw secondTab(name);
    return work();
  })) as Result;
}

/** Whether any tab or worker of this origin holds the lock now. */
export async function isLockHeld(name: string): Promise<boolean> {
  const locks = lockManager();
  if (!locks) return heldHere.has(name);
  const { held = [] } = await locks.query();
  return held.some((lock) => lock.name === name);
}

/**
 * Holds the lock until this thread ends.
 * @returns whether it is held: false where there are no locks, or another has it
 */
export function holdForLife(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const locks = lockManager();
    if (!locks) return resolve(false);
    const hold = (lock: Lock | null) => {
      resolve(lock !== null);
      return lock ? new Promise<never>(() => {}) : undefined;
    };
    // Refused where storage is: an opaque origin, or a person's own setting.
    locks.request(name, { ifAvailable: true }, hold).catch(() => resolve(false));
  });
}

/** @returns true once nobody holds the lock; false when the signal was aborted or there are no locks */
export async function waitUntilFree(name: string, signal: AbortSignal): Promise<boolean> {
  const locks = lockManager();
  if (!locks) return false;
  return locks.request(name, { signal }, () => true).catch(() => false);
}

async function holdHere<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  if (heldHere.has(name)) throw secondTab(name);
  heldHere.add(name);
  try {
    return await work();
  } finally {
    heldHere.delete(name);
  }
}

const lockManager = (): LockManager | undefined =>
  typeof navigator === 'undefined' ? undefined : (navigator as { locks?: LockManager }).locks;

const secondTab = (name: string): StorageError =>
  new StorageError(
    'second-tab',
    'Inkstone is already doing this in another tab. Finish or close it there first.',
    { retryable: true, details: { lock: name } },
  );
