/** Gathers the records of a file in their order, and what was wrong with those that are none; refuses too many. */
import { describeType } from '../describe';
import { FormatError } from '../errors';
import type { DatasetFormat, DatasetRecord, RowProblem } from './types';

/** More rows than anyone tunes on in a browser; each costs some 200 bytes before its text. */
export const MAX_ROWS = 1_000_000;

/** A column's name in a report; in a file that is no table it may be half the file. */
const MAX_FIELD_CHARS = 100;

export interface RawDataset {
  readonly format: DatasetFormat;
  readonly records: DatasetRecord[];
  readonly problems: RowProblem[];
}

export class RecordCollector {
  readonly records: DatasetRecord[] = [];
  readonly problems: RowProblem[] = [];
  readonly #fileName: string;

  constructor(fileName: string) {
    this.#fileName = fileName;
  }

  /** Rows seen, the rejected ones included: a rejected row leaves an empty record in its place. */
  get count(): number {
    return this.records.length;
  }

  add(value: unknown): void {
    if (isRecord(value)) this.push(value);
    else this.reject('not-an-object', describeType(value));
  }

  reject(kind: RowProblem['kind'], found: string, field = ''): void {
    this.push({});
    this.problems.push({ row: this.count, field: field.slice(0, MAX_FIELD_CHARS), kind, found });
  }

  private push(record: DatasetRecord): void {
    this.records.push(record);
    if (this.count > MAX_ROWS) {
      throw new FormatError(
        'too-large',
        `${this.#fileName} has more than ${MAX_ROWS} rows; split it and choose a part.`,
        { details: { fileName: this.#fileName } },
      );
    }
  }
}

export const isRecord = (value: unknown): value is DatasetRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
