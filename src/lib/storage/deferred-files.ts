/** A file store that may be used before it is open: every call waits for the opening. */
import type { Bytes, FileEntry, FileSource, FileStore } from './file-store';

export class DeferredFiles implements FileStore {
  constructor(private readonly opening: Promise<FileStore>) {
    // Every call rethrows it; without this the failure would also be an unhandled rejection.
    opening.catch(() => undefined);
  }

  async writeFile(path: string, source: FileSource): Promise<void> {
    return (await this.opening).writeFile(path, source);
  }
  async appendFile(path: string, source: FileSource): Promise<void> {
    return (await this.opening).appendFile(path, source);
  }
  async readFile(path: string): Promise<File> {
    return (await this.opening).readFile(path);
  }
  async readRange(path: string, start: number, end: number): Promise<Bytes> {
    return (await this.opening).readRange(path, start, end);
  }
  async list(prefix: string): Promise<FileEntry[]> {
    return (await this.opening).list(prefix);
  }
  async remove(prefix: string): Promise<void> {
    return (await this.opening).remove(prefix);
  }
  async rename(from: string, to: string): Promise<void> {
    return (await this.opening).rename(from, to);
  }
  async exists(path: string): Promise<boolean> {
    return (await this.opening).exists(path);
  }
  async freeBytes(): Promise<number> {
    return (await this.opening).freeBytes();
  }
}
