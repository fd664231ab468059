export { StorageError, storageFull, type StorageErrorCode } from './errors';
export type { Bytes, FileEntry, FileSource, FileStore } from './file-store';
export { openFiles } from './files';
export { MemoryFiles } from './memory-files';
export { TABLE_NAMES, type TableName, type TableRecord, type Tables } from './table-store';
export { openTables } from './tables';
export { MemoryTables } from './memory-tables';
export { holdLock, isLockHeld, RUN_LOCK } from './locks';
export { estimateStorage, persistStorage, type StorageEstimate } from './quota';
