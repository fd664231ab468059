/** The engine worker: hands the platform's parts to the engine and serves it. */
import { createEngine } from '$lib/engine';
import { serve } from '$lib/rpc';
import type { EngineApi } from '$lib/rpc/engine-api';
import {
  DeferredFiles,
  MemoryFiles,
  openFiles,
  openTables,
  StorageError,
  type FileStore,
} from '$lib/storage';

/** Without OPFS, as in some private windows, everything works and nothing outlives the tab. */
async function openFilesOrMemory(): Promise<FileStore> {
  try {
    return await openFiles();
  } catch (error) {
    if (error instanceof StorageError && error.code === 'unavailable') return new MemoryFiles();
    throw error;
  }
}

serve<EngineApi>(
  createEngine({
    files: new DeferredFiles(openFilesOrMemory()),
    tables: openTables(),
    gpu: navigator.gpu,
    baseUrl: `${self.location.origin}/`,
  }),
);
