/**
 * Carries out the plan of an import: files are staged where nobody looks and held against the manifest while
 * they are copied, then moved into place, then recorded. Whatever goes wrong, all of it is taken back; what a
 * killed tab leaves lies in the stage, or is whole.
 */
import type { DatasetRow } from '../formats';
import type { ArchiveProgress } from '../rpc/engine-api';
import { storageFull } from '../storage';
import { folderOfItem, KINDS, wrongArchive } from './archive-layout';
import type { ArchiveEntry } from './archive-manifest';
import type { ArchivedItem } from './archive-plan';
import type { AnyRecord, RecordOf } from './archive-records';
import { readRowLines, RowsHash } from './archive-rows';
import { COMPLETE } from './checkpoint-store';
import type { EngineContext } from './context';
import { weightsHashOf } from './weights-hash';

/** Copied files lie here until all of them are whole. */
export const STAGE = 'importing';
const ROWS_AT_A_TIME = 1024;

export class ArchiveImporter {
  private doneBytes = 0;
  private readonly totalBytes: number;

  constructor(
    private readonly context: EngineContext,
    private readonly items: readonly ArchivedItem[],
    private readonly fileName: string,
    private readonly call: {
      readonly signal: AbortSignal;
      readonly progress: (update: ArchiveProgress) => void;
    },
  ) {
    this.totalBytes = items.reduce((sum, item) => sum + bytesOf(item), 0);
  }

  /** @throws StorageError `full`, EngineError `wrong-archive`, AbortError; then nothing was changed */
  async run(): Promise<void> {
    const { files } = this.context;
    const freeBytes = await files.freeBytes();
    if (this.totalBytes > freeBytes) throw storageFull(this.fileName, this.totalBytes, freeBytes);
    await files.remove(STAGE);
    try {
      for (const item of this.items) await this.stage(item);
      this.call.signal.throwIfAborted();
      await this.commit();
    } finally {
      await files.remove(STAGE).catch(() => undefined);
    }
  }

  private async stage(item: ArchivedItem): Promise<void> {
    for (const [name, entry] of item.files)
      await this.context.files.writeFile(stagePath(item, name), this.counted(entry));
    if (item.kind === 'models') this.checkWeights(item);
    if (!item.rows) return;
    const { hash, rowCount } = item.record as RecordOf['datasets'];
    const found = new RowsHash();
    for await (const row of readRowLines(this.counted(item.rows), this.where(item.rows)))
      found.add(row);
    if (found.count !== rowCount)
      throw wrongArchive(
        this.fileName,
        `${item.rows.path} has ${found.count} rows, its record says ${rowCount}`,
      );
    if (found.digest() !== hash)
      throw wrongArchive(
        this.fileName,
        `the rows of ${item.rows.path} are not those of its record`,
      );
  }

  /** Each file has just been held against the manifest. */
  private checkWeights({ id, record, files }: ArchivedItem): void {
    const { weightsHash } = record as RecordOf['models'];
    const found = weightsHashOf(new Map([...files].map(([name, { sha256 }]) => [name, sha256])));
    if (weightsHash !== undefined && weightsHash !== found)
      throw wrongArchive(this.fileName, `the weights of models/${id} are not those of its record`);
  }

  private async *counted(entry: ArchiveEntry): AsyncGenerator<Uint8Array> {
    for await (const chunk of entry.read()) {
      this.call.signal.throwIfAborted();
      this.doneBytes += chunk.byteLength;
      const { doneBytes, totalBytes } = this;
      this.call.progress({ stage: 'copy', doneBytes, totalBytes });
      yield chunk;
    }
  }

  /** Not to be stopped any more: moving is quick. Nothing counts before its record is there. */
  private async commit(): Promise<void> {
    const { tables } = this.context;
    try {
      for (const item of this.items) await this.place(item);
      for (const kind of KINDS) {
        const records = this.items.filter((item) => item.kind === kind).map(({ record }) => record);
        if (records.length > 0) await tables.put<AnyRecord>(kind, ...records);
      }
    } catch (error) {
      for (const item of this.items) await this.takeBack(item).catch(() => undefined);
      throw error;
    }
  }

  private async place(item: ArchivedItem): Promise<void> {
    const { files, tables } = this.context;
    const { id } = item.record;
    if (item.files.size > 0) {
      const folder = folderOfItem(item.kind, item.record);
      // Without a record it is what a crash has left.
      await files.remove(folder);
      for (const name of completeLast([...item.files.keys()]))
        await files.rename(stagePath(item, name), `${folder}/${name}`);
    }
    if (!item.rows) return;
    await tables.removeRows(id);
    let rows: DatasetRow[] = [];
    const flush = async () => {
      await tables.appendRows(id, rows);
      rows = [];
    };
    for await (const row of readRowLines(item.rows.read(), this.where(item.rows)))
      if (rows.push(row) >= ROWS_AT_A_TIME) await flush();
    await flush();
  }

  private async takeBack(item: ArchivedItem): Promise<void> {
    const { files, tables } = this.context;
    await tables.remove(item.kind, item.record.id);
    if (item.rows) await tables.removeRows(item.record.id);
    if (item.files.size > 0) await files.remove(folderOfItem(item.kind, item.record));
  }

  private where(entry: ArchiveEntry): string {
    return `${this.fileName} (${entry.path})`;
  }
}

const stagePath = ({ kind, id }: ArchivedItem, name: string) => `${STAGE}/${kind}/${id}/${name}`;

function bytesOf({ files, rows }: ArchivedItem): number {
  let sum = rows?.sizeBytes ?? 0;
  for (const { sizeBytes } of files.values()) sum += sizeBytes;
  return sum;
}

/** A checkpoint counts once its mark is there. */
const completeLast = (names: readonly string[]): string[] => {
  const isMark = (name: string) => name === COMPLETE || name.endsWith(`/${COMPLETE}`);
  return [...names.filter((name) => !isMark(name)), ...names.filter(isMark)];
};
