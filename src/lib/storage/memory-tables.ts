/** Tables in memory: for tests, the command line, and a browser without IndexedDB. */
import { TABLE_NAMES, type TableName, type TableRecord, type Tables } from './table-store';

export class MemoryTables implements Tables {
  readonly #tables = new Map<TableName, Map<string, TableRecord>>(
    TABLE_NAMES.map((name) => [name, new Map()]),
  );
  readonly #rows = new Map<string, unknown[]>();

  get<Value extends TableRecord>(table: TableName, id: string): Promise<Value | undefined> {
    return Promise.resolve(structuredClone(this.#table(table).get(id)) as Value | undefined);
  }

  list<Value extends TableRecord>(table: TableName): Promise<Value[]> {
    const records = [...this.#table(table).values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    return Promise.resolve(structuredClone(records) as Value[]);
  }

  async put<Value extends TableRecord>(table: TableName, ...records: Value[]): Promise<void> {
    for (const record of structuredClone(records)) this.#table(table).set(record.id, record);
  }

  async update<Value extends TableRecord>(
    table: TableName,
    id: string,
    change: (found: Value | undefined) => Value,
  ): Promise<void> {
    const found = structuredClone(this.#table(table).get(id)) as Value | undefined;
    this.#table(table).set(id, structuredClone(change(found)));
  }

  remove(table: TableName, ...ids: string[]): Promise<void> {
    for (const id of ids) this.#table(table).delete(id);
    return Promise.resolve();
  }

  clear(table: TableName): Promise<void> {
    this.#table(table).clear();
    return Promise.resolve();
  }

  async appendRows(datasetId: string, rows: readonly unknown[]): Promise<void> {
    const before = this.#rows.get(datasetId) ?? [];
    this.#rows.set(datasetId, [...before, ...structuredClone(rows)]);
  }

  readRows<Row>(datasetId: string, start: number, count: number): Promise<Row[]> {
    const rows = (this.#rows.get(datasetId) ?? []).slice(start, start + Math.max(0, count));
    return Promise.resolve(structuredClone(rows) as Row[]);
  }

  countRows(datasetId: string): Promise<number> {
    return Promise.resolve(this.#rows.get(datasetId)?.length ?? 0);
  }

  removeRows(datasetId: string): Promise<void> {
    this.#rows.delete(datasetId);
    return Promise.resolve();
  }

  close(): void {}

  #table(name: TableName): Map<string, TableRecord> {
    const table = this.#tables.get(name);
    if (!table) throw new TypeError(`There is no table called ${name}.`);
    return table;
  }
}
