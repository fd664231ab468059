/**
 * The tables of a browser: one IndexedDB database, `inkstone`. Its shape changes by the migrations
 * below alone; the rows of a dataset are stored in chunks, because one request a row is slow.
 */
import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from 'idb';
import { newerVersion, storageUnavailable, toStorageError } from './errors';
import { ROWS_PER_CHUNK, type TableName, type TableRecord, type Tables } from './table-store';

interface RowChunk {
  datasetId: string;
  /** 0-based. Every chunk but the last is full. */
  chunk: number;
  rows: unknown[];
}

type RecordStores = Record<TableName, { key: string; value: TableRecord }>;

interface InkstoneSchema extends DBSchema, RecordStores {
  rows: { key: [string, number]; value: RowChunk };
}

type Database = IDBPDatabase<InkstoneSchema>;

/** Migration n brings version n to n + 1. Released ones are never changed, only followed. */
const MIGRATIONS: readonly ((database: Database) => void)[] = [
  (database) => {
    const tables = [
      'datasets',
      'runs',
      'adapters',
      'models',
      'evaluations',
      'settings',
      'ledger',
    ] as const;
    for (const table of tables) database.createObjectStore(table, { keyPath: 'id' });
    database.createObjectStore('rows', { keyPath: ['datasetId', 'chunk'] });
  },
];

/** Opens at first use and again after the browser has closed it. */
export function openTables(name = 'inkstone'): Tables {
  return new IndexedTables(name);
}

class IndexedTables implements Tables {
  #opening: Promise<Database> | undefined;
  #outdated = false;

  constructor(private readonly name: string) {}

  get<Value extends TableRecord>(table: TableName, id: string): Promise<Value | undefined> {
    return this.#use(table, (database) => database.get(table, id) as Promise<Value | undefined>);
  }

  list<Value extends TableRecord>(table: TableName): Promise<Value[]> {
    return this.#use(
      table,
      (database) => database.getAll(table) as Promise<TableRecord[]>,
    ) as Promise<Value[]>;
  }

  put<Value extends TableRecord>(table: TableName, ...records: Value[]): Promise<void> {
    return this.#write(table, async (transaction) => {
      const store = transaction.objectStore(table);
      for (const record of records) await store.put(record);
    });
  }

  update<Value extends TableRecord>(
    table: TableName,
    id: string,
    change: (found: Value | undefined) => Value,
  ): Promise<void> {
    return this.#write(table, async (transaction) => {
      const store = transaction.objectStore(table);
      await store.put(change((await store.get(id)) as Value | undefined));
    });
  }

  remove(table: TableName, ...ids: string[]): Promise<void> {
    return this.#write(table, async (transaction) => {
      const store = transaction.objectStore(table);
      for (const id of ids) await store.delete(id);
    });
  }

  clear(table: TableName): Promise<void> {
    return this.#write(table, (transaction) => transaction.objectStore(table).clear());
  }

  appendRows(datasetId: string, rows: readonly unknown[]): Promise<void> {
    return this.#write('rows', async (transaction) => {
      const store = transaction.objectStore('rows');
      const last = (await store.openCursor(chunksOf(datasetId), 'prev'))?.value;
      let chunk = last ? last.chunk : 0;
      let pending = last ? [...last.rows, ...rows] : [...rows];
      while (pending.length > 0) {
        await store.put({ datasetId, chunk, rows: pending.slice(0, ROWS_PER_CHUNK) });
        pending = pending.slice(ROWS_PER_CHUNK);
        chunk += 1;
      }
    });
  }

  readRows<Row>(datasetId: string, start: number, count: number): Promise<Row[]> {
    return this.#use('rows', async (database) => {
      if (count <= 0) return [];
      const first = Math.floor(start / ROWS_PER_CHUNK);
      const last = Math.floor((start + count - 1) / ROWS_PER_CHUNK);
      const chunks = await database.getAll('rows', chunksOf(datasetId, first, last));
      const from = start - first * ROWS_PER_CHUNK;
      return chunks.flatMap(({ rows }) => rows as Row[]).slice(from, from + count);
    });
  }

  countRows(datasetId: string): Promise<number> {
    return this.#use('rows', async (database) => {
      const cursor = await database
        .transaction('rows')
        .store.openCursor(chunksOf(datasetId), 'prev');
      return cursor ? cursor.value.chunk * ROWS_PER_CHUNK + cursor.value.rows.length : 0;
    });
  }

  removeRows(datasetId: string): Promise<void> {
    return this.#write('rows', (transaction) =>
      transaction.objectStore('rows').delete(chunksOf(datasetId)),
    );
  }

  close(): void {
    void this.#opening?.then((database) => database.close()).catch(() => undefined);
    this.#opening = undefined;
  }

  /** One transaction: when `work` throws, nothing of it stays. */
  #write(
    table: TableName | 'rows',
    work: (
      transaction: IDBPTransaction<InkstoneSchema, (TableName | 'rows')[], 'readwrite'>,
    ) => Promise<void>,
  ): Promise<void> {
    return this.#use(table, async (database) => {
      const stores: (TableName | 'rows')[] = [table];
      const transaction = database.transaction(stores, 'readwrite', { durability: 'strict' });
      const done = transaction.done;
      // Awaited below; without this an abort would also be an unhandled rejection.
      done.catch(() => undefined);
      try {
        await work(transaction);
      } catch (error) {
        try {
          transaction.abort();
        } catch {
          // It has already aborted by itself, as it does when the device is full.
        }
        throw error;
      }
      await done;
    });
  }

  async #use<Result>(what: string, work: (database: Database) => Promise<Result>): Promise<Result> {
    try {
      return await work(await this.#open());
    } catch (error) {
      throw toStorageError(error, `the table of ${what}`);
    }
  }

  async #open(): Promise<Database> {
    if (this.#outdated) throw newerVersion();
    if (typeof indexedDB === 'undefined') throw storageUnavailable();
    this.#opening ??= openDB<InkstoneSchema>(this.name, MIGRATIONS.length, {
      upgrade(database, oldVersion) {
        for (const migrate of MIGRATIONS.slice(oldVersion)) migrate(database);
      },
      // A newer app in another tab wants to migrate: give way, or it would wait for ever.
      blocking: (_current, _blocked, event) => {
        this.#outdated = true;
        (event.target as IDBDatabase).close();
      },
      terminated: () => {
        this.#opening = undefined;
      },
    });
    try {
      return await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }
}

const chunksOf = (datasetId: string, first = 0, last = Number.MAX_SAFE_INTEGER): IDBKeyRange =>
  IDBKeyRange.bound([datasetId, first], [datasetId, last]);
