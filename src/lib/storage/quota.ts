/** How much room there is, and whether the browser promises to keep what is in it. */

export interface StorageEstimate {
  usedBytes: number;
  /** 0 where the browser does not say. */
  quotaBytes: number;
  /** The browser will not evict the data under pressure. */
  persisted: boolean;
  /** False in private windows of some browsers: nothing will outlive the tab. */
  durable: boolean;
}

/**
 * Browsers grant an ordinary window a share of the disk, many gigabytes, and a private one a share of
 * the memory or nothing. Below this quota nothing is promised.
 */
const DURABLE_QUOTA_BYTES = 300 * 2 ** 20;

/** Never throws: a browser that refuses to say gives zeros and `durable: false`. */
export async function estimateStorage(): Promise<StorageEstimate> {
  const storage = storageManager();
  if (!storage) return { usedBytes: 0, quotaBytes: 0, persisted: false, durable: false };
  const { usage = 0, quota = 0 } = await storage
    .estimate()
    .catch(() => ({}) as StorageEstimateLike);
  const persisted = await storage.persisted().catch(() => false);
  const durable = persisted || (quota >= DURABLE_QUOTA_BYTES && (await canOpenFiles(storage)));
  return { usedBytes: usage, quotaBytes: quota, persisted, durable };
}

interface StorageEstimateLike {
  usage?: number;
  quota?: number;
}

interface StorageManagerLike {
  estimate(): Promise<StorageEstimateLike>;
  persisted(): Promise<boolean>;
  getDirectory?(): Promise<unknown>;
}

/** Absent outside secure contexts and on Node. */
function storageManager(): StorageManagerLike | undefined {
  if (typeof navigator === 'undefined') return undefined;
  return (navigator as { storage?: StorageManagerLike }).storage;
}

async function canOpenFiles(storage: StorageManagerLike): Promise<boolean> {
  try {
    return (await storage.getDirectory?.()) !== undefined;
  } catch {
    return false;
  }
}
