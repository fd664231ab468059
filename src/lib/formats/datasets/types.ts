/** What a dataset file becomes: rows of one of five kinds, and every complaint with its place. */
import type { ChatMessage, DatasetRow } from '../../config';

export type { ChatMessage, DatasetRow };

/** A record as the file has it, before any meaning is given to its fields. */
export type DatasetRecord = Readonly<Record<string, unknown>>;

export type ChatRole = ChatMessage['role'];

export type DatasetFormat = 'json' | 'jsonl' | 'csv' | 'text';

export type DatasetSchema =
  'alpaca' | 'prompt-completion' | 'messages' | 'sharegpt' | 'text' | 'tokens' | 'unknown';

export type RowProblemKind =
  | 'not-json'
  | 'not-an-object'
  | 'empty-row'
  | 'missing-field'
  | 'extra-fields'
  | 'wrong-type'
  | 'empty-field'
  | 'empty-output'
  | 'unknown-role'
  | 'no-answer'
  | 'wrong-weight'
  | 'no-weight'
  | 'tool-call'
  | 'not-text'
  | 'not-a-pair'
  | 'system-twice'
  | 'too-many-turns'
  | 'length-mismatch'
  | 'out-of-range';

/** A row that was left out of `rows`, and why. */
export interface RowProblem {
  /** 1-based; the header of a CSV is not counted. */
  readonly row: number;
  /** Field of the record, such as `output` or `messages[2].role`; '' for the row as a whole. */
  readonly field: string;
  readonly kind: RowProblemKind;
  /** The value found, short. */
  readonly found: string;
}

export interface MappedDataset {
  readonly schema: DatasetSchema;
  readonly rows: readonly DatasetRow[];
  /** 1-based row of the file for each of `rows`. */
  readonly rowNumbers: readonly number[];
  readonly problems: readonly RowProblem[];
  /** Columns that no field of the schema reads, and fields of turns: their contents are not trained on. */
  readonly unusedColumns: readonly string[];
}

export interface Dataset extends MappedDataset {
  readonly format: DatasetFormat;
  /** How the text was stored: `utf-8`, `utf-16le`, `utf-16be` or `gb18030`. */
  readonly encoding: string;
  /** All field names in the order of their first appearance. */
  readonly columns: readonly string[];
  /** Every row as read, for `applyMapping`; rows of the file that are no object are empty records. */
  readonly records: readonly DatasetRecord[];
}

/** Our fields, and the column of the file that fills each. */
export type FieldMapping = Partial<
  Record<
    | 'instruction'
    | 'input'
    | 'output'
    | 'prompt'
    | 'completion'
    | 'messages'
    | 'conversations'
    | 'system'
    | 'history'
    | 'text'
    | 'input_ids'
    | 'labels',
    string
  >
>;
