/** Writes items into an archive, entry by entry: nothing of it lies in memory but one piece and the list. */
import type { DatasetRow, ZipInput } from '../formats';
import { Sha256 } from '../formats/sha256';
import type { ArchiveProgress, PageKeepings } from '../rpc/engine-api';
import type { CallContext } from '../rpc/protocol';
import { filePath, MANIFEST, PAGE, recordPath, rowsPath } from './archive-layout';
import {
  MAX_FILES,
  MAX_JSON_BYTES,
  MAX_RECORDS_BYTES,
  readStream,
  writeManifest,
  type ManifestFile,
} from './archive-manifest';
import { sizeOf, type StoredItem } from './archive-items';
import type { RecordOf } from './archive-records';
import { writeRowLines } from './archive-rows';
import type { EngineContext } from './context';
import { EngineError } from './errors';

/** Rows read from the tables and written at a time. */
const ROWS_AT_A_TIME = 1024;
/** Only for the share that is shown: how long rows are is not known before. */
const GUESSED_ROW_BYTES = 300;

export class ArchiveWriter {
  private readonly listed: ManifestFile[] = [];
  private doneBytes = 0;
  private jsonBytes = 0;
  private readonly totalBytes: number;

  constructor(
    private readonly context: EngineContext,
    private readonly items: readonly StoredItem[],
    private readonly call: CallContext<ArchiveProgress>,
  ) {
    this.totalBytes = items.reduce(
      (sum, item) =>
        sum +
        sizeOf(item.files) +
        (item.kind === 'datasets' ? GUESSED_ROW_BYTES * rowsOf(item).rowCount : 0),
      0,
    );
  }

  /** @throws EngineError `bad-files` where one file could not hold it all */
  async *entries(page: PageKeepings): AsyncGenerator<ZipInput> {
    const count = this.items.reduce(
      (sum, { kind, files }) => sum + files.length + (kind === 'datasets' ? 2 : 1),
      1,
    );
    if (count > MAX_FILES)
      throw new EngineError(
        'bad-files',
        `Everything is ${count} files, one archive takes ${MAX_FILES}. Delete checkpoints that you no longer need, then try again.`,
        { details: { found: count, allowed: MAX_FILES } },
      );
    yield this.json(PAGE, page);
    for (const item of this.items) {
      const { kind, id, record, files } = item;
      yield this.json(recordPath(kind, id), record);
      if (kind === 'datasets') yield this.entry(rowsPath(id), this.rows(item));
      for (const { name, path } of files)
        yield this.entry(filePath(kind, id, name), this.file(path));
    }
    yield { name: MANIFEST, data: writeManifest(this.listed, Date.now()) };
  }

  private json(path: string, value: unknown): ZipInput {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    this.jsonBytes += bytes.byteLength;
    if (bytes.byteLength > MAX_JSON_BYTES || this.jsonBytes > MAX_RECORDS_BYTES)
      throw new EngineError(
        'bad-files',
        `With ${path} the records would be larger than can be imported again. Delete runs or reports that you no longer need, then try again.`,
        { details: { found: bytes.byteLength, allowed: MAX_JSON_BYTES } },
      );
    return this.entry(path, [bytes]);
  }

  private entry(path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): ZipInput {
    return { name: path, data: this.listing(path, chunks) };
  }

  private async *listing(
    path: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    const hash = new Sha256();
    let sizeBytes = 0;
    for await (const chunk of chunks) {
      this.call.signal.throwIfAborted();
      hash.update(chunk);
      sizeBytes += chunk.byteLength;
      this.doneBytes += chunk.byteLength;
      yield chunk;
      const { totalBytes } = this;
      const doneBytes = Math.min(this.doneBytes, totalBytes);
      this.call.progress({ stage: 'copy', doneBytes, totalBytes });
    }
    this.listed.push({ path, sizeBytes, sha256: hash.digest() });
  }

  private async *file(path: string): AsyncGenerator<Uint8Array> {
    yield* readStream((await this.context.files.readFile(path)).stream());
  }

  private async *rows(item: StoredItem): AsyncGenerator<Uint8Array> {
    const { id, rowCount } = rowsOf(item);
    for (let start = 0; start < rowCount; start += ROWS_AT_A_TIME) {
      const count = Math.min(ROWS_AT_A_TIME, rowCount - start);
      yield writeRowLines(await this.context.tables.readRows<DatasetRow>(id, start, count));
    }
  }
}

const rowsOf = ({ record }: StoredItem) => record as RecordOf['datasets'];
