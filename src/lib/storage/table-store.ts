/**
 * The interface of the tables, over IndexedDB in a browser and over memory in tests and on the command
 * line. It knows no row's meaning: a record is anything cloneable with an id and a schema version.
 */

export const TABLE_NAMES = [
  'datasets',
  'runs',
  'adapters',
  'models',
  'evaluations',
  'settings',
  'ledger',
] as const;

export type TableName = (typeof TABLE_NAMES)[number];

/** What every record has. Its owner raises `schemaVersion` when its own fields change meaning. */
export interface TableRecord {
  readonly id: string;
  readonly schemaVersion: number;
}

export interface Tables {
  get<Value extends TableRecord>(table: TableName, id: string): Promise<Value | undefined>;
  /** All records, in the order of their ids. */
  list<Value extends TableRecord>(table: TableName): Promise<Value[]>;
  /** Adds or replaces; all records or none. */
  put<Value extends TableRecord>(table: TableName, ...records: Value[]): Promise<void>;
  /**
   * Reads a record and puts what `change` makes of it, with nothing of any tab in between. `change` may
   * throw; then nothing happens.
   */
  update<Value extends TableRecord>(
    table: TableName,
    id: string,
    change: (found: Value | undefined) => Value,
  ): Promise<void>;
  remove(table: TableName, ...ids: string[]): Promise<void>;
  clear(table: TableName): Promise<void>;

  /** Appends rows after those that the dataset has; all or none. Its record is the caller's to put. */
  appendRows(datasetId: string, rows: readonly unknown[]): Promise<void>;
  /** At most `count` rows from the 0-based `start`. */
  readRows<Row>(datasetId: string, start: number, count: number): Promise<Row[]>;
  countRows(datasetId: string): Promise<number>;
  removeRows(datasetId: string): Promise<void>;

  close(): void;
}

/** Rows a stored chunk: a page reads one or two chunks, a run of ten thousand rows some forty. */
export const ROWS_PER_CHUNK = 256;
