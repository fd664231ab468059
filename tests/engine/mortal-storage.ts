/**
 * Storage that outlives whoever uses it, and a life that ends at a chosen moment: from then on nothing
 * that the dead one does reaches the storage, as when a tab is closed or its process is killed.
 */
import {
  MemoryFiles,
  MemoryTables,
  type Bytes,
  type FileEntry,
  type FileSource,
  type FileStore,
  type TableName,
  type TableRecord,
  type Tables,
} from '$lib/storage';

export class Killed extends Error {}

/** Counts moments: what is done to the storage, before and after, and what is told to the page. */
export class Life {
  moments = 0;
  isOver = false;

  constructor(readonly lastMoment = Infinity) {}

  end(): void {
    this.isOver = true;
  }

  /** Throws at the last moment and for ever after. */
  pass(): void {
    if (!this.isOver && ++this.moments < this.lastMoment) return;
    this.isOver = true;
    throw new Killed('the tab is gone');
  }
}

/** What is on the disk. */
export class Disk {
  readonly files = new MemoryFiles();
  readonly tables = new MemoryTables();

  usedBy(life: Life): { files: FileStore; tables: Tables } {
    return { files: new MortalFiles(this.files, life), tables: mortalTables(this.tables, life) };
  }
}

class MortalFiles implements FileStore {
  constructor(
    private readonly disk: FileStore,
    private readonly life: Life,
  ) {}

  /** Whole or not at all, as the contract has it, however far it came. */
  writeFile(path: string, source: FileSource): Promise<void> {
    return this.during(() => this.disk.writeFile(path, this.inPieces(source)));
  }

  appendFile(path: string, source: FileSource): Promise<void> {
    return this.during(() => this.disk.appendFile(path, this.inPieces(source)));
  }

  /** File by file: a browser that dies while it removes a folder leaves a part of it. */
  async remove(prefix: string): Promise<void> {
    for (const { path } of await this.disk.list(prefix))
      await this.during(() => this.disk.remove(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.during(() => this.disk.rename(from, to));
  }

  readFile(path: string): Promise<File> {
    return this.before(() => this.disk.readFile(path));
  }

  readRange(path: string, start: number, end: number): Promise<Bytes> {
    return this.before(() => this.disk.readRange(path, start, end));
  }

  list(prefix: string): Promise<FileEntry[]> {
    return this.before(() => this.disk.list(prefix));
  }

  exists(path: string): Promise<boolean> {
    return this.before(() => this.disk.exists(path));
  }

  freeBytes(): Promise<number> {
    return this.before(() => this.disk.freeBytes());
  }

  private async before<Result>(work: () => Promise<Result>): Promise<Result> {
    this.life.pass();
    return work();
  }

  /** The last moment may be before, or after: done, but nobody left who knows. */
  private async during<Result>(work: () => Promise<Result>): Promise<Result> {
    this.life.pass();
    const result = await work();
    this.life.pass();
    return result;
  }

  private async *inPieces(source: FileSource): AsyncIterable<Uint8Array> {
    const chunks = source instanceof Uint8Array ? halves(source) : source;
    for await (const chunk of chunks) {
      yield chunk;
      this.life.pass();
    }
  }
}

function* halves(bytes: Uint8Array): Iterable<Uint8Array> {
  yield bytes.subarray(0, bytes.length >> 1);
  yield bytes.subarray(bytes.length >> 1);
}

/** Every call of a table is one transaction. */
function mortalTables(disk: Tables, life: Life): Tables {
  const during = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    life.pass();
    const result = await work();
    life.pass();
    return result;
  };
  return {
    get: <Value extends TableRecord>(table: TableName, id: string) =>
      during(() => disk.get<Value>(table, id)),
    list: <Value extends TableRecord>(table: TableName) => during(() => disk.list<Value>(table)),
    put: (table, ...records) => during(() => disk.put(table, ...records)),
    update: (table, id, change) => during(() => disk.update(table, id, change)),
    remove: (table, ...ids) => during(() => disk.remove(table, ...ids)),
    clear: (table) => during(() => disk.clear(table)),
    appendRows: (id, rows) => during(() => disk.appendRows(id, rows)),
    readRows: <Row>(id: string, start: number, count: number) =>
      during(() => disk.readRows<Row>(id, start, count)),
    countRows: (id) => during(() => disk.countRows(id)),
    removeRows: (id) => during(() => disk.removeRows(id)),
    close: () => disk.close(),
  };
}
