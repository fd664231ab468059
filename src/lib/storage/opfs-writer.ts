/**
 * Writes into one OPFS file: with a synchronous access handle in a worker, which is fast and keeps what
 * was written when the tab dies, and with a writable stream elsewhere.
 */
export interface Writer {
  write(chunk: Uint8Array): Promise<void>;
  /** Flushes to the device; what was written is then in the file. */
  close(): Promise<void>;
  /** Closes without a promise about the content. */
  abort(): Promise<void>;
}

/** In TypeScript's webworker library only, while this file is checked with that of the page. */
interface SyncAccessHandle {
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

interface SyncCapableHandle {
  createSyncAccessHandle?(): Promise<SyncAccessHandle>;
}

export async function openWriter(
  handle: FileSystemFileHandle,
  mode: 'replace' | 'append',
): Promise<Writer> {
  const sync = await (handle as SyncCapableHandle).createSyncAccessHandle?.();
  return sync ? syncWriter(sync, mode) : streamWriter(handle, mode);
}

function syncWriter(handle: SyncAccessHandle, mode: 'replace' | 'append'): Writer {
  if (mode === 'replace') handle.truncate(0);
  let at = handle.getSize();
  return {
    async write(chunk) {
      let done = 0;
      while (done < chunk.length) {
        const rest = chunk.subarray(done);
        const written = handle.write(rest, { at });
        // Full devices: some browsers write nothing instead of throwing, and a private window of
        // Chromium 156 returns a number larger than what it was given.
        if (!(written > 0 && written <= rest.length))
          throw new DOMException('The device is full.', 'QuotaExceededError');
        done += written;
        at += written;
      }
    },
    async close() {
      try {
        handle.flush();
      } finally {
        handle.close();
      }
    },
    abort() {
      handle.close();
      return Promise.resolve();
    },
  };
}

async function streamWriter(
  handle: FileSystemFileHandle,
  mode: 'replace' | 'append',
): Promise<Writer> {
  const keepExistingData = mode === 'append';
  const stream = await handle.createWritable({ keepExistingData });
  if (keepExistingData) await stream.seek((await handle.getFile()).size);
  return {
    write: (chunk) => stream.write(chunk as Uint8Array<ArrayBuffer>),
    close: () => stream.close(),
    abort: () => stream.abort(),
  };
}
