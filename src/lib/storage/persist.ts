/**
 * Asking the browser to keep what is on this device. Only a window may: a worker has `persisted`, but no `persist`.
 * So pages load this module, and it imports nothing. Nothing here throws.
 */

/** Whether the browser has promised it already; asks nobody anything. */
export async function isPersisted(): Promise<boolean> {
  try {
    return (await storageManager()?.persisted()) ?? false;
  } catch {
    return false;
  }
}

/**
 * Chromium decides by itself, Firefox asks the person and may take as long as they do.
 *
 * @returns whether the browser has promised it; false too where there is nobody to ask, as in a worker
 */
export async function persistStorage(): Promise<boolean> {
  try {
    return (await storageManager()?.persist?.()) ?? false;
  } catch {
    return false;
  }
}

interface PersistentStorage {
  persisted(): Promise<boolean>;
  /** Of a window alone. */
  persist?(): Promise<boolean>;
}

/** Absent outside secure contexts and on Node. */
function storageManager(): PersistentStorage | undefined {
  if (typeof navigator === 'undefined') return undefined;
  return (navigator as { storage?: PersistentStorage }).storage;
}
