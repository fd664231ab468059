/**
 * The FileStore of a browser: the origin-private file system. A file is written under a temporary name,
 * flushed and then moved into place, so that a reader or a killed tab never meets half a file.
 */
import { storageFull, storageUnavailable, StorageError, toStorageError } from './errors';
import {
  chunksOf,
  isTemporary,
  splitPath,
  splitPrefix,
  TEMPORARY_SUFFIX,
  type Bytes,
  type FileEntry,
  type FileSource,
  type FileStore,
} from './file-store';
import { openWriter, type Writer } from './opfs-writer';
import { estimateStorage } from './quota';

/** Chromium, Safari and Firefox have it; TypeScript's DOM library does not list it yet. */
interface MovableHandle extends FileSystemFileHandle {
  move?(parent: FileSystemDirectoryHandle, name: string): Promise<void>;
}

/** Writers hold it shared, so that a starting tab does not clean away what another one is writing. */
const WRITING_LOCK = 'inkstone:writing';

/** The file store of this origin. Throws 'unavailable' where there is none. */
export async function openFiles(folder = 'inkstone'): Promise<FileStore> {
  let root: FileSystemDirectoryHandle;
  try {
    const origin = await navigator.storage.getDirectory();
    root = await origin.getDirectoryHandle(folder, { create: true });
  } catch (error) {
    throw storageUnavailable(error);
  }
  await cleanTemporaryFiles(root);
  return new OpfsFiles(root);
}

class OpfsFiles implements FileStore {
  constructor(private readonly root: FileSystemDirectoryHandle) {}

  writeFile(path: string, source: FileSource): Promise<void> {
    return this.#writing(path, async () => {
      const [parent, name] = await this.#locate(path, true);
      if (await isFolder(parent, name)) {
        throw new StorageError('bad-path', `${path}: a folder stands where a file is needed.`);
      }
      const temporary = `${name}.${crypto.randomUUID()}${TEMPORARY_SUFFIX}`;
      try {
        const handle = await parent.getFileHandle(temporary, { create: true });
        await fill(await openWriter(handle, 'replace'), path, source, 'discard');
        await moveInto(handle, parent, name);
      } catch (error) {
        await parent.removeEntry(temporary).catch(() => undefined);
        throw error;
      }
    });
  }

  appendFile(path: string, source: FileSource): Promise<void> {
    return this.#writing(path, async () => {
      const [parent, name] = await this.#locate(path, true);
      const handle = await parent.getFileHandle(name, { create: true });
      await fill(await openWriter(handle, 'append'), path, source, 'keep');
    });
  }

  readFile(path: string): Promise<File> {
    return this.#guard(path, async () => {
      const [parent, name] = await this.#locate(path);
      return (await parent.getFileHandle(name)).getFile();
    });
  }

  readRange(path: string, start: number, end: number): Promise<Bytes> {
    return this.#guard(path, async () => {
      const file = await this.readFile(path);
      return new Uint8Array(await file.slice(start, end).arrayBuffer());
    });
  }

  list(prefix: string): Promise<FileEntry[]> {
    return this.#guard(prefix, async () => {
      const found: FileEntry[] = [];
      const segments = splitPrefix(prefix);
      const handle = await this.#find(segments);
      if (handle) await collect(handle, segments.join('/'), found);
      return found.sort((a, b) => (a.path < b.path ? -1 : 1));
    });
  }

  remove(prefix: string): Promise<void> {
    return this.#guard(prefix, async () => {
      const segments = splitPrefix(prefix);
      const name = segments.pop();
      const parent = await this.#find(segments);
      if (parent?.kind !== 'directory') return;
      const names = name === undefined ? await namesIn(parent) : [name];
      for (const each of names) {
        await parent.removeEntry(each, { recursive: true }).catch(ignoreMissing);
      }
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#writing(from, async () => {
      const [source, sourceName] = await this.#locate(from);
      const handle = await source.getFileHandle(sourceName);
      const [target, targetName] = await this.#locate(to, true);
      await moveInto(handle, target, targetName);
    });
  }

  exists(path: string): Promise<boolean> {
    return this.#guard(path, async () => (await this.#find(splitPath(path)))?.kind === 'file');
  }

  async freeBytes(): Promise<number> {
    const { quotaBytes, usedBytes } = await estimateStorage();
    return quotaBytes === 0 ? Infinity : quotaBytes - usedBytes;
  }

  async #guard<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SourceFailure) throw error.thrown;
      const known = toStorageError(error, path);
      if (!(known instanceof StorageError) || known.code !== 'full') throw known;
      const needed = Number(known.details.neededBytes ?? 0);
      // Chromium answers `usage + 10 GiB` whatever the disk has: such a number would only confuse.
      const free = await this.freeBytes();
      throw storageFull(path, needed, needed > free ? free : undefined, error);
    }
  }

  #writing(path: string, work: () => Promise<void>): Promise<void> {
    return this.#guard(path, () =>
      'locks' in navigator
        ? navigator.locks.request(WRITING_LOCK, { mode: 'shared' }, work)
        : work(),
    );
  }

  /** The folder that a path names a file in, and the file's name. */
  async #locate(path: string, create = false): Promise<[FileSystemDirectoryHandle, string]> {
    const segments = splitPath(path);
    const name = segments.pop() ?? '';
    let folder = this.root;
    for (const segment of segments) folder = await folder.getDirectoryHandle(segment, { create });
    return [folder, name];
  }

  async #find(
    segments: readonly string[],
  ): Promise<FileSystemDirectoryHandle | FileSystemFileHandle | undefined> {
    let folder = this.root;
    for (const [n, segment] of segments.entries()) {
      const last = n === segments.length - 1;
      const next = await child(folder, segment);
      if (!next || last) return next;
      if (next.kind === 'file') return undefined;
      folder = next;
    }
    return folder;
  }
}

/** The source failed, not the storage: its own error must reach the caller as it was. */
class SourceFailure extends Error {
  constructor(readonly thrown: unknown) {
    super('The source of the bytes failed.');
  }
}

/** Writes all of a source. On an error what is there is kept or discarded, and the error goes on. */
async function fill(
  writer: Writer,
  path: string,
  source: FileSource,
  onError: 'keep' | 'discard',
): Promise<void> {
  const chunks = chunksOf(source)[Symbol.asyncIterator]();
  try {
    for (let next = await pull(chunks); !next.done; next = await pull(chunks)) {
      const { length } = next.value;
      await writer.write(next.value).catch((error: unknown) => {
        throw isQuotaError(error) ? storageFull(path, length, undefined, error) : error;
      });
    }
  } catch (error) {
    if (!(error instanceof SourceFailure)) await chunks.return?.();
    await (onError === 'keep' ? writer.close() : writer.abort()).catch(() => undefined);
    throw error;
  }
  await writer.close();
}

async function pull(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await chunks.next();
  } catch (thrown) {
    throw new SourceFailure(thrown);
  }
}

const isQuotaError = (error: unknown): boolean =>
  error instanceof Error && error.name === 'QuotaExceededError';

async function moveInto(
  handle: MovableHandle,
  parent: FileSystemDirectoryHandle,
  name: string,
): Promise<void> {
  if (handle.move) {
    await retryBusy(() => handle.move?.(parent, name));
    return;
  }
  // createWritable fills a swap file and replaces the target on close: still atomic for readers.
  const target = await parent.getFileHandle(name, { create: true });
  const file = await handle.getFile();
  await file.stream().pipeTo(await target.createWritable());
  await (handle as FileSystemFileHandle & { remove?(): Promise<void> }).remove?.();
}

/** Two moves onto one name collide for an instant; the second waits instead of failing. */
async function retryBusy(work: () => Promise<void> | undefined): Promise<void> {
  for (let waitMs = 4; ; waitMs *= 2) {
    try {
      return await work();
    } catch (error) {
      const busy = error instanceof DOMException && error.name === 'NoModificationAllowedError';
      if (!busy || waitMs > 500) throw error;
      await new Promise((done) => setTimeout(done, waitMs));
    }
  }
}

async function child(
  folder: FileSystemDirectoryHandle,
  name: string,
): Promise<FileSystemDirectoryHandle | FileSystemFileHandle | undefined> {
  try {
    return await folder.getFileHandle(name);
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'TypeMismatchError') {
      return ignoreMissing(error);
    }
    return folder.getDirectoryHandle(name);
  }
}

const isFolder = async (parent: FileSystemDirectoryHandle, name: string): Promise<boolean> =>
  (await child(parent, name))?.kind === 'directory';

function ignoreMissing(error: unknown): undefined {
  if (error instanceof DOMException && error.name === 'NotFoundError') return undefined;
  throw error;
}

async function collect(
  handle: FileSystemDirectoryHandle | FileSystemFileHandle,
  path: string,
  found: FileEntry[],
): Promise<void> {
  if (handle.kind === 'file') {
    if (isTemporary(path)) return;
    const file = await handle.getFile();
    found.push({ path, sizeBytes: file.size, modifiedMs: file.lastModified });
    return;
  }
  for await (const [name, inner] of handle.entries()) {
    const next = inner as FileSystemDirectoryHandle | FileSystemFileHandle;
    await collect(next, path === '' ? name : `${path}/${name}`, found);
  }
}

async function namesIn(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const names: string[] = [];
  for await (const name of folder.keys()) names.push(name);
  return names;
}

/** Removes what a killed tab left half written, unless some tab is writing now. */
async function cleanTemporaryFiles(root: FileSystemDirectoryHandle): Promise<void> {
  const clean = async (folder: FileSystemDirectoryHandle): Promise<void> => {
    for await (const [name, handle] of folder.entries()) {
      if (handle.kind === 'directory') await clean(handle as FileSystemDirectoryHandle);
      // A file that is still open cannot be removed, and need not be.
      else if (isTemporary(name)) await folder.removeEntry(name).catch(() => undefined);
    }
  };
  if (!('locks' in navigator)) return clean(root);
  await navigator.locks.request(WRITING_LOCK, { ifAvailable: true }, async (lock) => {
    if (lock) await clean(root);
  });
}
