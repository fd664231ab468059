/** Files that ship with the page: read over the same origin, kept by the service worker. */
import type { FolderAccess } from '../decoder';
import { fetchOwn } from '../hub';
import { weightsHashOf } from './weights-hash';

/** Lists, sizes and hashes of a bundled folder, made at build time. */
interface FileList {
  files: { path: string; sizeBytes: number; sha256: string }[];
}

/** A bundled model as a folder; each file is fetched whole when it is first read, then kept in memory. */
export class BundledFolder implements FolderAccess {
  private readonly contents = new Map<string, Promise<Uint8Array>>();
  private listing: Promise<FileList> | undefined;

  /** @param url ends in `/` */
  constructor(
    private readonly url: string,
    private readonly signal?: AbortSignal,
  ) {}

  async list(): Promise<readonly string[]> {
    return (await this.files()).map(({ path }) => path);
  }

  async sizeBytes(name: string): Promise<number> {
    const found = (await this.files()).find(({ path }) => path === name);
    return found?.sizeBytes ?? (await this.content(name)).byteLength;
  }

  async readRange(name: string, begin: number, end: number): Promise<Uint8Array> {
    return (await this.content(name)).subarray(begin, end);
  }

  /** A fact of the build: no byte of the weights is read for it. */
  async weightsHash(): Promise<string | undefined> {
    return weightsHashOf(new Map((await this.files()).map(({ path, sha256 }) => [path, sha256])));
  }

  private async files() {
    this.listing ??= fetchOwn(`${this.url}files.json`, this.signal).then(
      (response) => response.json() as Promise<FileList>,
    );
    return (await this.listing).files;
  }

  private content(name: string): Promise<Uint8Array> {
    let content = this.contents.get(name);
    if (!content) {
      content = fetchOwn(this.url + name, this.signal)
        .then((response) => response.arrayBuffer())
        .then((buffer) => new Uint8Array(buffer));
      this.contents.set(name, content);
    }
    return content;
  }
}
