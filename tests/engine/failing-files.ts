/** A file store that dies at a chosen write or removal, as a killed tab does: half of a folder may be gone. */
import type { FileSource, FileStore } from '$lib/storage';

export class KilledError extends Error {}

export class FailingFiles implements FileStore {
  changes = 0;

  /** @param diesAt number of the first change, from 1, that does not happen; none does after it */
  constructor(
    private readonly inner: FileStore,
    protected readonly diesAt: number,
  ) {}

  async writeFile(path: string, source: FileSource): Promise<void> {
    this.count();
    return this.inner.writeFile(path, source);
  }

  async appendFile(path: string, source: FileSource): Promise<void> {
    this.count();
    return this.inner.appendFile(path, source);
  }

  async rename(from: string, to: string): Promise<void> {
    this.count();
    return this.inner.rename(from, to);
  }

  async remove(prefix: string): Promise<void> {
    const [first] = await this.inner.list(prefix);
    try {
      this.count();
    } catch (error) {
      if (first && this.changes === this.diesAt && first.path !== prefix)
        await this.inner.remove(first.path);
      throw error;
    }
    return this.inner.remove(prefix);
  }

  readFile = (path: string) => this.inner.readFile(path);
  readRange = (path: string, start: number, end: number) => this.inner.readRange(path, start, end);
  list = (prefix: string) => this.inner.list(prefix);
  exists = (path: string) => this.inner.exists(path);
  freeBytes = () => this.inner.freeBytes();

  protected count(): void {
    this.changes += 1;
    if (this.changes >= this.diesAt) throw new KilledError(`killed at change ${this.changes}`);
  }
}
