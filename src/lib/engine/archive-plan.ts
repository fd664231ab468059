/**
 * What an archive holds, item by item and each one whole, and what is to be done with it here: an item that
 * is here byte for byte is left, one whose id is free comes under it, any other comes as a copy.
 */
import type { Fields } from '../config/fields';
import type { ArchiveKind, ArchiveProgress, PageKeepings } from '../rpc/engine-api';
import { Sha256 } from '../formats/sha256';
import { adapterIdOf, runPointOf } from './adapter-id';
import type { ArchiveItems, StoredFile, StoredItem } from './archive-items';
import { ADAPTER_FILES, KINDS, prefixOf, wrongArchive } from './archive-layout';
import {
  MAX_RECORDS_BYTES,
  readJsonEntry,
  readStream,
  type ArchiveEntry,
} from './archive-manifest';
import { readRecord, type AnyRecord, type RecordOf } from './archive-records';
import { COMPLETE } from './checkpoint-store';
import { newId, type EngineContext } from './context';
import { TRAINER_STATE_FILE } from '../training/trainer-state';

export interface ArchivedItem {
  readonly kind: ArchiveKind;
  readonly id: string;
  record: AnyRecord;
  readonly rows: ArchiveEntry | undefined;
  /** By name within the item. */
  readonly files: ReadonlyMap<string, ArchiveEntry>;
}

export interface ArchivePlan {
  /** With the records that they will have here. */
  readonly add: readonly ArchivedItem[];
  readonly present: readonly ArchivedItem[];
  /** Old id -> new id. */
  readonly newIds: ReadonlyMap<string, string>;
}

/** @throws EngineError `wrong-archive`; ConfigError naming record and field */
export async function readItems(
  entries: readonly ArchiveEntry[],
  fileName: string,
): Promise<{ items: ArchivedItem[]; page: PageKeepings }> {
  type Parts = Record<'record' | 'rows', ArchiveEntry | undefined> & {
    readonly files: Map<string, ArchiveEntry>;
  };
  const recordsBytes = entries.reduce(
    (sum, { place, sizeBytes }) => sum + (place.part === 'record' ? sizeBytes : 0),
    0,
  );
  if (recordsBytes > MAX_RECORDS_BYTES)
    throw wrongArchive(fileName, `its records have more than ${MAX_RECORDS_BYTES} bytes`);
  const groups = new Map<string, { kind: ArchiveKind; id: string } & Parts>();
  let page: Fields | undefined;
  for (const entry of entries) {
    const { place } = entry;
    if (place.part === 'page') {
      page = await readJsonEntry(entry, fileName);
      continue;
    }
    const { kind, id } = place;
    const key = `${kind}/${id}`;
    const group = groups.get(key) ?? {
      kind,
      id,
      record: undefined,
      rows: undefined,
      files: new Map(),
    };
    groups.set(key, group);
    if (place.part === 'file') group.files.set(place.name, entry);
    else group[place.part] = entry;
  }
  const items: ArchivedItem[] = [];
  for (const [key, { kind, id, record, rows, files }] of groups) {
    if (!record) throw wrongArchive(fileName, `${key} has no record`);
    const item = {
      ...{ kind, id, rows, files },
      record: readRecord(kind, id, await readJsonEntry(record, fileName)),
    };
    const missing = findMissing(item);
    if (missing) throw wrongArchive(fileName, `${key} is not whole, it lacks ${missing}`);
    items.push(item);
  }
  const runIds = new Set(items.filter(({ kind }) => kind === 'runs').map(({ id }) => id));
  for (const { kind, id, record } of items)
    if (kind === 'adapters' && runIds.has((record as RecordOf['adapters']).runId ?? ''))
      throw wrongArchive(fileName, `adapters/${id} is one of the checkpoints of a run beside it`);
  const order = ({ kind }: ArchivedItem) => KINDS.indexOf(kind);
  return { items: items.sort((a, b) => order(a) - order(b)), page: page?.object ?? {} };
}

function findMissing({ kind, record, rows, files }: ArchivedItem): string | undefined {
  const lack = (names: readonly string[], folder = '') =>
    names.map((name) => folder + name).find((name) => !files.has(name));
  switch (kind) {
    case 'models':
      return lack(['config.json', 'tokenizer.json']);
    case 'datasets':
      return rows ? undefined : 'its rows';
    case 'adapters':
      return lack([
        ...ADAPTER_FILES,
        ...((record as RecordOf['adapters']).runId === undefined ? [] : [COMPLETE]),
      ]);
    case 'runs': {
      const folders = new Set(
        [...files.keys()].map((name) => name.slice(0, name.indexOf('/') + 1)),
      );
      const needed = [...ADAPTER_FILES, TRAINER_STATE_FILE, COMPLETE];
      return [...folders].map((folder) => lack(needed, folder)).find(Boolean);
    }
    case 'evaluations':
      return undefined;
  }
}

export interface PlanParts {
  readonly context: EngineContext;
  readonly stored: ArchiveItems;
  readonly signal: AbortSignal;
  readonly progress: (update: ArchiveProgress) => void;
}

export async function planImport(
  items: readonly ArchivedItem[],
  parts: PlanParts,
): Promise<ArchivePlan> {
  const local = new Map(
    (await parts.stored.list()).items.map((item) => [`${item.kind}/${item.id}`, item]),
  );
  const add: ArchivedItem[] = [];
  const present: ArchivedItem[] = [];
  const newIds = new Map<string, string>();
  const compare = new Comparison(parts, items);
  for (const item of items) {
    const found = local.get(`${item.kind}/${item.id}`);
    if (await compare.isSame(item, found)) present.push(item);
    else {
      if (await parts.stored.isTaken(item.kind, item.record)) newIds.set(item.id, copyId(item));
      add.push(item);
    }
  }
  for (const item of add) item.record = renamed(item, newIds);
  return { add, present, newIds };
}

/** Bytes of files are read only where everything else agrees. */
class Comparison {
  private doneBytes = 0;
  private readonly totalBytes: number;

  constructor(
    private readonly parts: PlanParts,
    items: readonly ArchivedItem[],
  ) {
    this.totalBytes = items.reduce(
      (sum, { files }) => [...files.values()].reduce((all, { sizeBytes }) => all + sizeBytes, sum),
      0,
    );
  }

  async isSame(item: ArchivedItem, found: StoredItem | undefined): Promise<boolean> {
    const { kind, record, files } = item;
    if (!found) {
      // It may be here as a checkpoint of its run.
      if (kind !== 'adapters' || (record as RecordOf['adapters']).runId === undefined) return false;
      const stored = await this.parts.stored.checkpointFiles(record as RecordOf['adapters']);
      return this.haveSameBytes(files, stored, ADAPTER_FILES);
    }
    if (essence(kind, record) !== essence(kind, found.record)) return false;
    if (found.files.length !== files.size) return false;
    return this.haveSameBytes(files, found.files, [...files.keys()]);
  }

  private async haveSameBytes(
    files: ReadonlyMap<string, ArchiveEntry>,
    stored: readonly StoredFile[],
    names: readonly string[],
  ): Promise<boolean> {
    const byName = new Map(stored.map((file) => [file.name, file]));
    if (names.some((name) => byName.get(name)?.sizeBytes !== files.get(name)?.sizeBytes))
      return false;
    for (const name of names)
      if ((await this.hash(byName.get(name)!.path)) !== files.get(name)!.sha256) return false;
    return true;
  }

  private async hash(path: string): Promise<string> {
    const { context, signal, progress } = this.parts;
    const hash = new Sha256();
    for await (const chunk of readStream((await context.files.readFile(path)).stream())) {
      signal.throwIfAborted();
      hash.update(chunk);
      this.doneBytes += chunk.byteLength;
      const { doneBytes, totalBytes } = this;
      progress({ stage: 'compare', doneBytes, totalBytes });
    }
    return hash.digest();
  }
}

/** A run that was renamed is still the same run. */
const essence = (kind: ArchiveKind, record: AnyRecord): string =>
  JSON.stringify(kind === 'runs' ? { ...record, name: '' } : record);

function copyId({ kind, record }: ArchivedItem): string {
  const { runId, step } = record as RecordOf['adapters'];
  return kind === 'adapters' && runId !== undefined && step !== undefined
    ? adapterIdOf(newId('run'), step)
    : newId(prefixOf(kind));
}

/** The record under the ids that it and what it names will have here. */
function renamed(
  { kind, id, record }: ArchivedItem,
  newIds: ReadonlyMap<string, string>,
): AnyRecord {
  const now = (old: string) => newIds.get(old) ?? old;
  const base = { ...record, id: now(id) };
  switch (kind) {
    case 'runs': {
      const run = base as RecordOf['runs'];
      return {
        ...run,
        modelId: now(run.modelId),
        datasetId: now(run.datasetId),
        ...(run.evalDatasetId !== undefined && { evalDatasetId: now(run.evalDatasetId) }),
        ...(run.startedFrom && {
          startedFrom: {
            ...run.startedFrom,
            adapterId: adapterNow(run.startedFrom.adapterId, newIds),
          },
        }),
      };
    }
    case 'adapters': {
      const adapter = base as RecordOf['adapters'];
      return {
        ...adapter,
        modelId: now(adapter.modelId),
        ...(adapter.runId !== undefined && { runId: runPointOf(adapter.id).runId }),
      };
    }
    case 'evaluations': {
      const report = base as RecordOf['evaluations'];
      return {
        ...report,
        modelId: now(report.modelId),
        datasetId: now(report.datasetId),
        ...(report.heldBackOf && {
          heldBackOf: { ...report.heldBackOf, runId: now(report.heldBackOf.runId) },
        }),
        scores: report.scores.map((score) => ({
          ...score,
          ...(score.adapterId !== undefined && {
            adapterId: adapterNow(score.adapterId, newIds),
          }),
        })),
      };
    }
    case 'models':
    case 'datasets':
      return base as AnyRecord;
  }
}

/** Adapters of a run are named after it. */
function adapterNow(id: string, newIds: ReadonlyMap<string, string>): string {
  const exact = newIds.get(id);
  if (exact !== undefined) return exact;
  const { runId, step } = runPointOf(id);
  const run = newIds.get(runId);
  if (run === undefined) return id;
  return step === undefined ? run.replace(/^run-/, 'adapter-') : adapterIdOf(run, step);
}
