/**
 * A page of the app without its looks: the product's own engine worker over the browser's own files, tables and
 * locks, for a test to drive. It also tells what lies on the disk, which only a page without an engine sees as the
 * last one left it.
 */
import { parseSafetensorsHeader } from '../../../src/lib/formats';
import { connect, type Connection } from '../../../src/lib/rpc';
import type {
  EngineApi,
  RunSummary,
  TrainEvent,
  TrainRequest,
} from '../../../src/lib/rpc/engine-api';
import { isTemporary } from '../../../src/lib/storage/file-store';
import { RUN_LOCK, waitUntilFree } from '../../../src/lib/storage/locks';
import { contentsOf } from '../../engine/outcome';
import { SMALL_MODEL, smallModelFiles, tokenRowsFile } from '../../engine/small-run';
import { repositoryBytes } from './models';

export interface FileOnDisk {
  readonly path: string;
  /** Under the name that it has while it is written. */
  readonly isTemporary: boolean;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
  /** What is wrong with it, under whichever name. */
  readonly damage?: string;
}

class EnginePage {
  private worker: Worker | undefined;
  private connection: Connection<EngineApi> | undefined;

  /** Started by its first call, as the app does. */
  get engine(): Connection<EngineApi> {
    if (!this.connection) {
      this.worker = new Worker(new URL('../../../workers/engine.ts', import.meta.url), {
        type: 'module',
      });
      this.connection = connect<EngineApi>(this.worker);
    }
    return this.connection;
  }

  /** As a browser ends it: nobody is asked, and the page stays. */
  terminate(): void {
    this.worker?.terminate();
    this.worker = this.connection = undefined;
  }

  async importSmallModel(): Promise<{ modelId: string; datasetId: string }> {
    const files = await smallModelFiles((name) =>
      repositoryBytes(`tests/reference/goldens/${SMALL_MODEL}/${name}`),
    );
    const model = await this.engine.importModel({ files, name: 'small' });
    const { dataset } = await this.engine.importDataset({ file: tokenRowsFile() });
    return { modelId: model.id, datasetId: dataset!.id };
  }

  /** Each event is told to the test as it comes. */
  train(request: TrainRequest): Promise<RunSummary> {
    return this.engine.train(request, { onProgress: (event) => void window.tellTrainEvent(event) });
  }

  /** The files of a run's adapter as a person takes them away. */
  async takeAdapter({ modelId, adapterId }: RunSummary): Promise<string[]> {
    const { file } = await this.engine.exportModel({ modelId, adapterId, format: 'peft' });
    return contentsOf(new Uint8Array(await file.arrayBuffer()));
  }

  /** Once the run that was going on is dead for certain. */
  async lookAtDisk(): Promise<FileOnDisk[]> {
    await waitUntilFree(RUN_LOCK, new AbortController().signal);
    const root = await navigator.storage.getDirectory();
    const found: FileOnDisk[] = [];
    await collect(await root.getDirectoryHandle('inkstone', { create: true }), '', found);
    return found;
  }
}

async function collect(
  folder: FileSystemDirectoryHandle,
  prefix: string,
  found: FileOnDisk[],
): Promise<void> {
  for await (const [name, handle] of folder.entries()) {
    const path = prefix + name;
    if (handle.kind === 'directory')
      await collect(handle as FileSystemDirectoryHandle, `${path}/`, found);
    else {
      const file = await lookAtFile(handle as FileSystemFileHandle, path);
      if (file) found.push(file);
    }
  }
}

/** Undefined where the browser has finished a last removal or renaming since the folder was listed. */
async function lookAtFile(
  handle: FileSystemFileHandle,
  path: string,
): Promise<FileOnDisk | undefined> {
  const { name } = handle;
  try {
    const file = await handle.getFile();
    const damage = damageOf(name, new Uint8Array(await file.arrayBuffer()));
    return { path, isTemporary: isTemporary(name), modifiedMs: file.lastModified, damage };
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return undefined;
    throw error;
  }
}

/** Every kind of file that a run writes tells by itself whether all of it is there. */
function damageOf(name: string, bytes: Uint8Array<ArrayBuffer>): string | undefined {
  try {
    if (name.includes('.json')) JSON.parse(new TextDecoder().decode(bytes));
    else if (name.includes('.safetensors'))
      parseSafetensorsHeader(bytes, { fileName: name, fileSizeBytes: bytes.length });
    else if (bytes.length === 0) return 'it is empty';
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

declare global {
  interface Window {
    enginePage: EnginePage;
    /** Made by the test. */
    tellTrainEvent: (event: TrainEvent) => Promise<void>;
  }
}

window.enginePage = new EnginePage();
