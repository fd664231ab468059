/**
 * What a person made, as it lies on this device: each item with its record and its files. What ships with
 * the page, or a click would bring again, is not among it.
 */
import { InkstoneError } from '../config';
import { Fields, parseJsonObject } from '../config/fields';
import type { ArchiveKind } from '../rpc/engine-api';
import type { AdapterLibrary } from './adapter-library';
import { ADAPTER_FILES, folderOfItem, isIdOf, KINDS, mayHaveFile } from './archive-layout';
import { readRecord, type AnyRecord, type RecordOf } from './archive-records';
import { checkpointFolder } from './checkpoint-store';
import type { EngineContext } from './context';
import { evicted } from './errors';
import type { RunLibrary } from './run-library';

export interface StoredFile {
  /** Within its item. */
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
}

export interface StoredItem {
  readonly kind: ArchiveKind;
  readonly id: string;
  readonly record: AnyRecord;
  readonly files: readonly StoredFile[];
}

export interface LeftOut {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

export class ArchiveItems {
  constructor(
    private readonly context: EngineContext,
    private readonly runs: RunLibrary,
    private readonly adapters: AdapterLibrary,
  ) {}

  /** Everything of the person's; an item that is no longer whole is left out by name. */
  async list(): Promise<{ items: StoredItem[]; leftOut: LeftOut[] }> {
    // Drops what older versions stored twice.
    await this.adapters.list();
    const items: StoredItem[] = [];
    const leftOut: LeftOut[] = [];
    for (const kind of KINDS)
      for (const record of await this.context.tables.list<AnyRecord>(kind)) {
        if (!(await this.isOwn(kind, record))) continue;
        try {
          items.push(await this.item(kind, record));
        } catch (error) {
          if (!(error instanceof InkstoneError)) throw error;
          const name = 'name' in record ? record.name : record.id;
          leftOut.push({ name, code: error.code, message: error.message });
        }
      }
    return { items, leftOut };
  }

  /** Made or brought by the person, and not a part of another item. */
  private async isOwn(kind: ArchiveKind, record: AnyRecord): Promise<boolean> {
    if (kind === 'models') return (record as RecordOf['models']).origin !== 'catalogue';
    if (kind !== 'adapters') return true;
    const { runId, step } = record as RecordOf['adapters'];
    if (runId === undefined || step === undefined) return true;
    // Of a run that is there it is one of the checkpoints; one whose files are gone is not shown either.
    const isOfRun = (await this.context.tables.get('runs', runId)) !== undefined;
    return !isOfRun && (await this.runs.checkpoints.has(runId, step));
  }

  /** @throws EngineError `evicted`; ConfigError for a record that no reader would take back */
  private async item(kind: ArchiveKind, raw: AnyRecord): Promise<StoredItem> {
    const { id } = raw;
    const found = kind === 'runs' ? { ...raw, savedAt: await this.savedAt(id) } : raw;
    const record = normalise(kind, id, found);
    const files = await this.filesOf(kind, record);
    const name = 'name' in record ? record.name : id;
    const has = (file: string) => files.some((entry) => entry.name === file);
    if (kind === 'models') {
      const { sizeBytes } = record as RecordOf['models'];
      if (sizeOf(files) < sizeBytes || !has('config.json')) throw evicted(name);
    }
    if (kind === 'adapters' && !ADAPTER_FILES.every(has)) throw evicted(name);
    if (kind === 'datasets') {
      const { rowCount } = record as RecordOf['datasets'];
      if ((await this.context.tables.countRows(id)) < rowCount) throw evicted(name);
    }
    return { kind, id, record, files };
  }

  private async filesOf(kind: ArchiveKind, record: AnyRecord): Promise<StoredFile[]> {
    if (kind === 'datasets' || kind === 'evaluations') return [];
    const folder = folderOfItem(kind, record);
    const entries = await this.context.files.list(folder);
    const files = entries
      .map(({ path, sizeBytes }) => ({ path, sizeBytes, name: path.slice(folder.length + 1) }))
      .filter(({ name }) => mayHaveFile(kind, name));
    if (kind !== 'runs') return files;
    // What a crash left half written or half removed is no checkpoint.
    const complete = await this.runs.checkpoints.list(record.id);
    const folders = complete.map(({ step }) => `${checkpointFolder(record.id, step)}/`);
    return files.filter(({ path }) => folders.some((prefix) => path.startsWith(prefix)));
  }

  private async savedAt(runId: string): Promise<Record<string, number> | undefined> {
    const { checkpoints } = await this.runs.get(runId);
    return checkpoints.length === 0
      ? undefined
      : Object.fromEntries(checkpoints.map(({ step, savedAt }) => [step, savedAt]));
  }

  /** Whether something of this device has the id, so that nothing may be written under it. */
  async isTaken(kind: ArchiveKind, record: AnyRecord): Promise<boolean> {
    const { tables } = this.context;
    if (await tables.get(kind, record.id)) return true;
    if (kind === 'runs')
      return (await tables.list<RecordOf['adapters']>('adapters')).some(
        ({ runId }) => runId === record.id,
      );
    const { runId } = record as RecordOf['adapters'];
    return kind === 'adapters' && runId !== undefined && !!(await tables.get('runs', runId));
  }

  /** Files that a device has of an outliving adapter as a checkpoint of its run. */
  async checkpointFiles({ runId = '', step = 0 }: RecordOf['adapters']): Promise<StoredFile[]> {
    // Without the run it is what a crash has left.
    if (!(await this.context.tables.get('runs', runId))) return [];
    const folder = checkpointFolder(runId, step);
    const entries = await this.context.files.list(folder);
    return entries.map(({ path, sizeBytes }) => ({
      path,
      sizeBytes,
      name: path.slice(folder.length + 1),
    }));
  }
}

/** As it would come out of a file: what older versions lack is filled in, NaN and undefined are one thing. */
function normalise(kind: ArchiveKind, id: string, record: AnyRecord): AnyRecord {
  const where = `${kind}/${id}`;
  const fields = new Fields(parseJsonObject(JSON.stringify(record), where), where);
  if (!isIdOf(kind, id)) throw fields.wrong('id', id, `an id of ${kind}`);
  return readRecord(kind, id, fields);
}

export const sizeOf = (files: readonly { readonly sizeBytes: number }[]): number =>
  files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
