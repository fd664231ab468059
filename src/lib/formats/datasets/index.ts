export { readDataset } from './read-dataset';
export { MAX_DATASET_BYTES } from './decode-text';
export { MAX_COLUMNS } from './read-records';
export { MAX_ROWS } from './record-collector';
export { mappingOf } from './map-rows';
export { MAX_TURNS } from './read-turns';
export { applyMapping, suggestMapping } from './mapping';
export { writeAlpacaJson } from './write-alpaca-json';
export { findDuplicates, findOverlap } from './duplicates';
export { foldText, hasEmptyAnswer, questionKey } from './question-key';
export { splitRows, type RowSplit } from './split-rows';
export {
  findLeaked,
  selectRows,
  type RowsLeftOut,
  type SelectedRows,
  type SelectRowsOptions,
} from './select-rows';
export type {
  ChatMessage,
  ChatRole,
  Dataset,
  DatasetFormat,
  DatasetRecord,
  DatasetRow,
  DatasetSchema,
  FieldMapping,
  MappedDataset,
  RowProblem,
  RowProblemKind,
} from './types';
