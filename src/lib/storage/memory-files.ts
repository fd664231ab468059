/** A FileStore in memory: for tests, and for a browser without OPFS, where nothing outlives the tab. */
import { StorageError, storageFull } from './errors';
import {
  chunksOf,
  splitPath,
  splitPrefix,
  type Bytes,
  type FileEntry,
  type FileSource,
  type FileStore,
} from './file-store';

interface Entry {
  bytes: Bytes;
  modifiedMs: number;
}

export class MemoryFiles implements FileStore {
  readonly #files = new Map<string, Entry>();
  readonly #capacityBytes: number;

  constructor(capacityBytes = Infinity) {
    this.#capacityBytes = capacityBytes;
  }

  async writeFile(path: string, source: FileSource): Promise<void> {
    this.#check(path);
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of chunksOf(source)) {
      sizeBytes += chunk.length;
      this.#claim(path, sizeBytes);
      chunks.push(chunk.slice());
    }
    this.#set(path, chunks, sizeBytes);
  }

  async appendFile(path: string, source: FileSource): Promise<void> {
    this.#check(path);
    if (!this.#files.has(path)) this.#set(path, [], 0);
    for await (const chunk of chunksOf(source)) {
      this.#claim(path, chunk.length);
      const before = this.#files.get(path)?.bytes ?? new Uint8Array();
      this.#set(path, [before, chunk], before.length + chunk.length);
    }
  }

  async readFile(path: string): Promise<File> {
    const { bytes, modifiedMs } = this.#get(path);
    return new File([bytes], path.slice(path.lastIndexOf('/') + 1), { lastModified: modifiedMs });
  }

  async readRange(path: string, start: number, end: number): Promise<Bytes> {
    return this.#get(path).bytes.slice(start, end);
  }

  async list(prefix: string): Promise<FileEntry[]> {
    return this.#under(prefix).map(([path, { bytes, modifiedMs }]) => ({
      path,
      sizeBytes: bytes.length,
      modifiedMs,
    }));
  }

  async remove(prefix: string): Promise<void> {
    for (const [path] of this.#under(prefix)) this.#files.delete(path);
  }

  async rename(from: string, to: string): Promise<void> {
    const entry = this.#get(from);
    this.#check(to);
    this.#files.delete(from);
    this.#files.set(to, entry);
  }

  async exists(path: string): Promise<boolean> {
    splitPath(path);
    return this.#files.has(path);
  }

  freeBytes(): Promise<number> {
    return Promise.resolve(this.#free());
  }

  /** A safe path where no file stands for a folder, and no folder for the file. */
  #check(path: string): void {
    const segments = splitPath(path);
    const clash =
      segments.slice(1).some((_, n) => this.#files.has(segments.slice(0, n + 1).join('/'))) ||
      [...this.#files.keys()].some((other) => other.startsWith(`${path}/`));
    if (clash) {
      throw new StorageError('bad-path', `${path}: a file stands where a folder is needed.`);
    }
  }

  #get(path: string): Entry {
    splitPath(path);
    const entry = this.#files.get(path);
    if (!entry) throw new StorageError('not-found', `${path} is not on this device.`);
    return entry;
  }

  #set(path: string, chunks: Uint8Array[], sizeBytes: number): void {
    const bytes = new Uint8Array(sizeBytes);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    this.#files.set(path, { bytes, modifiedMs: Date.now() });
  }

  #under(prefix: string): [string, Entry][] {
    const path = splitPrefix(prefix).join('/');
    return [...this.#files]
      .filter(([other]) => path === '' || other === path || other.startsWith(`${path}/`))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #free(): number {
    let used = 0;
    for (const { bytes } of this.#files.values()) used += bytes.length;
    return this.#capacityBytes - used;
  }

  #claim(path: string, neededBytes: number): void {
    if (neededBytes > this.#free()) throw storageFull(path, neededBytes, this.#free());
  }
}
