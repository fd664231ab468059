/** Models on this device: bundled, imported, merged. Lists, opens their folders, adds, removes. */
import { InkstoneError, type JsonObject } from '../config';
import type { FolderAccess } from '../decoder';
import { openZip } from '../formats';
import { downloadModel, findInCatalogue } from '../hub';
import type { LoadProgress, ModelSummary } from '../rpc/engine-api';
import { BundledFolder } from './bundled';
import { CATALOGUE_MODELS } from './bundled-models';
import { whileArriving } from './arrivals';
import { newId, type EngineContext } from './context';
import { EngineError, evicted, notFound } from './errors';
import {
  checkComplete,
  DroppedFolder,
  readModelFolder,
  StoredFolder,
  type ModelFolder,
} from './model-folder';
import type { RunRecord } from './run-library';
import { WeightsHash } from './weights-hash';

interface ModelRecord extends ModelSummary {
  schemaVersion: 1;
}

type Place = Pick<ModelSummary, 'id' | 'name' | 'origin'>;

export interface CopyOptions {
  signal: AbortSignal;
  onProgress: (doneBytes: number, totalBytes: number) => void;
}

export interface ObtainOptions {
  signal: AbortSignal;
  progress: (update: LoadProgress) => void;
}

const COPY_CHUNK = 8 << 20;

/** As `newId('model')` makes it. A run from somebody's archive may name anything as its model. */
const IMPORTED_ID = /^model-[0-9A-Za-z-]{1,100}$/;

/** What a folder says that lacks a file. All were there before the model got its record. */
const MISSING: ReadonlySet<string> = new Set(['bad-files', 'missing-tensor', 'not-found']);

export class ModelLibrary {
  constructor(private readonly context: EngineContext) {}

  async list(): Promise<ModelSummary[]> {
    const stored = await this.context.tables.list<ModelRecord>('models');
    const has = (id: string) => stored.some((model) => model.id === id);
    return [...CATALOGUE_MODELS.filter(({ id }) => !has(id)), ...stored];
  }

  /** @throws EngineError `not-found` */
  async get(id: string): Promise<ModelSummary> {
    const found = (await this.list()).find((model) => model.id === id);
    if (!found) throw notFound('model', id);
    return found;
  }

  folder(model: ModelSummary, signal?: AbortSignal): FolderAccess {
    if (model.origin === 'bundled')
      return new BundledFolder(`${this.context.baseUrl}models/${model.id}/`, signal);
    return new StoredFolder(this.context.files, folderOf(model.id));
  }

  /**
   * A model's folder, read, after it was downloaded where it is not on this device, or no longer.
   * @throws EngineError `not-found`, `evicted`; HubError; FormatError and others naming the file
   */
  async obtain(
    id: string,
    { signal, progress }: ObtainOptions,
  ): Promise<{ summary: ModelSummary; folder: ModelFolder }> {
    const download = (summary: ModelSummary) =>
      this.download(summary, {
        signal,
        onProgress: (doneBytes, totalBytes) =>
          progress({ stage: 'download', doneBytes, totalBytes }),
      });
    const read = (summary: ModelSummary) => {
      progress({ stage: 'read', doneBytes: 0, totalBytes: summary.sizeBytes });
      return this.read(summary, signal);
    };
    let summary = await this.get(id);
    if (!summary.present) summary = await download(summary);
    try {
      return await read(summary);
    } catch (error) {
      const isEvicted = error instanceof EngineError && error.code === 'evicted';
      if (!isEvicted || !findInCatalogue(id)?.repo) throw error;
      summary = await download(summary);
      return read(summary);
    }
  }

  /**
   * A model's folder as it lies on this device, its weights unread.
   * @throws EngineError `evicted`; FormatError and others naming the file
   */
  async read(
    model: ModelSummary,
    signal?: AbortSignal,
  ): Promise<{ summary: ModelSummary; folder: ModelFolder }> {
    const access = this.folder(model, signal);
    try {
      const folder = await readModelFolder(access);
      const weightsHash =
        access instanceof BundledFolder ? await access.weightsHash() : model.weightsHash;
      return { summary: { ...model, weightsHash }, folder };
    } catch (error) {
      const isGone = error instanceof InkstoneError && MISSING.has(error.code);
      if (!isGone || model.origin === 'bundled') throw error;
      // It can be downloaded again, and the list says so.
      if (findInCatalogue(model.id)?.repo) await this.add({ ...model, present: false });
      throw evicted(model.name);
    }
  }

  /**
   * Brings a model of the catalogue onto this device; goes on where an earlier attempt broke off.
   * @throws HubError `sealed`, `offline`, `gated` ...; StorageError `full`
   */
  async download(model: ModelSummary, options: CopyOptions): Promise<ModelSummary> {
    const entry = findInCatalogue(model.id);
    if (!entry?.repo) throw notFound('model', model.id);
    const { repo, revision, id } = entry;
    const { files, tables } = this.context;
    const downloaded = await downloadModel({ repo, revision, id }, files, {
      tables,
      signal: options.signal,
      onProgress: ({ doneBytes, totalBytes }) => options.onProgress(doneBytes, totalBytes),
    });
    const { sizeBytes, commit } = downloaded;
    return this.add({ ...model, present: true, sizeBytes, revision: commit });
  }

  /** Takes in a folder's files or one zip of them. Everything is checked before anything is kept. */
  async import(files: readonly File[], name: string, options: CopyOptions): Promise<ModelSummary> {
    const dropped = new DroppedFolder(await unpackDropped(files));
    const model = await readModelFolder(dropped);
    await checkComplete(model);
    const id = newId('model');
    return whileArriving(folderOf(id), () => this.keep(id, dropped, model, name, options));
  }

  private async keep(
    id: string,
    dropped: FolderAccess,
    model: ModelFolder,
    name: string,
    options: CopyOptions,
  ): Promise<ModelSummary> {
    const names = await dropped.list();
    let done = 0;
    let total = 0;
    const weights = new WeightsHash();
    for (const file of names) total += await dropped.sizeBytes(file);
    try {
      for (const file of names) {
        const size = await dropped.sizeBytes(file);
        const chunks = copyChunks(dropped, file, size, options.signal, (bytes) => {
          done += bytes;
          options.onProgress(done, total);
        });
        await this.context.files.writeFile(`${folderOf(id)}/${file}`, weights.over(file, chunks));
      }
      const weightsHash = weights.digest();
      const given = name || nameIn(model.rawConfig) || plainName(model);
      const place = await this.oldPlaceOf(weightsHash, given);
      const { id: to, ...named } = place ?? { id, name: given, origin: 'imported' };
      const summary: ModelSummary = {
        ...{ id: to, ...named, present: true },
        architecture: model.config.architecture,
        parameterCount: model.parameterCount,
        sizeBytes: total,
        licence: '',
        languages: [],
        weightsHash,
      };
      if (to === id) return await this.add(summary);
      return await whileArriving(folderOf(to), async () => {
        await this.moveFolder(id, to);
        return this.add(summary);
      });
    } catch (error) {
      await this.context.files.remove(folderOf(id));
      throw error;
    }
  }

  /**
   * Where these weights were before the browser cleared files of theirs, or before they were deleted: back there they
   * serve the runs and adapters that name the place. A model that is whole keeps its place.
   */
  private async oldPlaceOf(
    weightsHash: string | undefined,
    name: string,
  ): Promise<Place | undefined> {
    if (weightsHash === undefined) return undefined;
    const { tables } = this.context;
    const here = await tables.list<ModelRecord>('models');
    for (const model of here.filter((each) => each.weightsHash === weightsHash))
      if (model.origin !== 'bundled' && !(await this.isWhole(model)))
        return { id: model.id, name: model.name, origin: model.origin };
    const isHere = (id: string) =>
      here.some((model) => model.id === id) || findInCatalogue(id) !== undefined;
    const run = (await tables.list<RunRecord>('runs')).find(
      ({ modelId, provenance }) =>
        provenance?.model.weightsHash === weightsHash &&
        IMPORTED_ID.test(modelId) &&
        !isHere(modelId),
    );
    return run && { id: run.modelId, name, origin: 'imported' };
  }

  private async isWhole(model: ModelSummary): Promise<boolean> {
    try {
      await checkComplete(await readModelFolder(this.folder(model)));
      return true;
    } catch {
      return false;
    }
  }

  private async moveFolder(fromId: string, toId: string): Promise<void> {
    const { files } = this.context;
    const from = folderOf(fromId);
    await files.remove(folderOf(toId));
    for (const { path } of await files.list(from))
      await files.rename(path, `${folderOf(toId)}${path.slice(from.length)}`);
    await files.remove(from);
  }

  async add(model: ModelSummary): Promise<ModelSummary> {
    await this.context.tables.put<ModelRecord>('models', { ...model, schemaVersion: 1 });
    return model;
  }

  async delete(id: string): Promise<void> {
    const model = await this.get(id);
    if (model.origin === 'bundled')
      throw new EngineError('bundled', `${model.name} ships with Inkstone and cannot be deleted.`);
    await this.context.tables.remove('models', id);
    await this.context.files.remove(folderOf(id));
  }
}

export const folderOf = (modelId: string) => `models/${modelId}`;

/** The hub's id as it is; of the path of somebody's folder its last part. */
function nameIn({ _name_or_path: name }: JsonObject): string {
  if (typeof name !== 'string') return '';
  const parts = name.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
  return /^[\w.-]+\/[\w.-]+$/.test(name) ? name : (parts.at(-1) ?? '');
}

/** As published models are called: `Llama-135M`. */
const plainName = ({ config, parameterCount }: ModelFolder): string =>
  `${config.architecture.replace(/ForCausalLM$/, '')}-${Math.max(1, Math.round(parameterCount / 1e6))}M`;

/** A single zip is opened; anything else is taken as it is. */
export async function unpackDropped(files: readonly File[]): Promise<Map<string, Blob>> {
  const [only] = files;
  if (files.length !== 1 || !only.name.toLowerCase().endsWith('.zip'))
    return new Map(files.map((file) => [file.webkitRelativePath || file.name, file]));
  const unpacked = new Map<string, Blob>();
  for (const entry of await openZip(only, { fileName: only.name }))
    if (!entry.name.endsWith('/')) unpacked.set(entry.name, await collect(entry.stream()));
  return unpacked;
}

/** Piece by piece: a Response would turn the archive's own error into "Failed to fetch". */
async function collect(stream: ReadableStream<Uint8Array>): Promise<Blob> {
  const reader = stream.getReader();
  const parts: Blob[] = [];
  for (let next = await reader.read(); !next.done; next = await reader.read())
    parts.push(new Blob([next.value as Uint8Array<ArrayBuffer>]));
  return new Blob(parts);
}

async function* copyChunks(
  folder: FolderAccess,
  name: string,
  size: number,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for (let begin = 0; begin < size; begin += COPY_CHUNK) {
    signal.throwIfAborted();
    const bytes = await folder.readRange(name, begin, Math.min(size, begin + COPY_CHUNK));
    yield bytes;
    onBytes(bytes.byteLength);
  }
}
