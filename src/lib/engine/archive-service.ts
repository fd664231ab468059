/** Everything that a person made, out to one file and in again. One of the two at a time, over all tabs. */
import { openZip, writeZip } from '../formats';
import type {
  ArchiveCounts,
  ArchiveKind,
  ArchiveProgress,
  EverythingExported,
  EverythingImported,
  PageKeepings,
} from '../rpc/engine-api';
import type { CallContext } from '../rpc/protocol';
import { ARCHIVE_LOCK, holdLock, isLockHeld, StorageError } from '../storage';
import type { AdapterLibrary } from './adapter-library';
import { ArchiveImporter } from './archive-importer';
import { ArchiveItems } from './archive-items';
import { KINDS } from './archive-layout';
import { readEntries, readStream } from './archive-manifest';
import { planImport, readItems } from './archive-plan';
import { ArchiveWriter } from './archive-writer';
import { isTraining, type EngineContext } from './context';
import { EngineError } from './errors';
import { EXPORTS } from './export-service';
import type { RunLibrary } from './run-library';

export const isArchiving = (): Promise<boolean> => isLockHeld(ARCHIVE_LOCK);

/** @throws EngineError `busy` while everything is being exported or imported, in any tab */
export async function refuseWhileArchiving(): Promise<void> {
  if (await isArchiving())
    throw new EngineError(
      'busy',
      'Everything is being exported or imported. Wait for its end, or stop it, then try again.',
    );
}

export class ArchiveService {
  private readonly stored: ArchiveItems;

  constructor(
    private readonly context: EngineContext,
    runs: RunLibrary,
    adapters: AdapterLibrary,
  ) {
    this.stored = new ArchiveItems(context, runs, adapters);
  }

  /** @throws EngineError `busy`; StorageError `full`; AbortError: then no file is left */
  export(page: PageKeepings, call: CallContext<ArchiveProgress>): Promise<EverythingExported> {
    return alone(async () => {
      if (await isTraining())
        throw new EngineError(
          'busy',
          'A training run is going on and its checkpoints come and go. Wait for its end, or stop it, then export.',
        );
      const { files } = this.context;
      const { items, leftOut } = await this.stored.list();
      const fileName = `inkstone-${new Date().toISOString().slice(0, 10)}.zip`;
      const path = `${EXPORTS}/${fileName}`;
      await files.remove(EXPORTS);
      const writer = new ArchiveWriter(this.context, items, call);
      await files.writeFile(path, readStream(writeZip(writer.entries(page))));
      return {
        fileName,
        file: await files.readFile(path),
        counts: countKinds(items),
        leftOut,
      };
    });
  }

  /** @throws EngineError `wrong-archive`, `newer-archive`, `busy`; FormatError; ConfigError; StorageError `full`; AbortError */
  import(file: File, call: CallContext<ArchiveProgress>): Promise<EverythingImported> {
    return alone(async () => {
      const { signal, progress } = call;
      progress({ stage: 'read', doneBytes: 0, totalBytes: file.size });
      const entries = await readEntries(await openZip(file, { fileName: file.name }), file.name);
      const { items, page } = await readItems(entries, file.name);
      signal.throwIfAborted();
      const { context, stored } = this;
      const plan = await planImport(items, { context, stored, signal, progress });
      await new ArchiveImporter(context, plan.add, file.name, call).run();
      return {
        added: countKinds(plan.add),
        present: countKinds(plan.present),
        copies: plan.newIds.size,
        newIds: Object.fromEntries(plan.newIds),
        page,
      };
    });
  }
}

async function alone<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await holdLock(ARCHIVE_LOCK, {}, work);
  } catch (error) {
    // The page takes `second-tab` for a tab in which nothing works.
    if (error instanceof StorageError && error.code === 'second-tab')
      throw new EngineError(
        'busy',
        'Everything is being exported or imported already, here or in another tab. Wait for its end.',
      );
    throw error;
  }
}

function countKinds(items: readonly { readonly kind: ArchiveKind }[]): ArchiveCounts {
  const count = (kind: ArchiveKind) => items.filter((item) => item.kind === kind).length;
  return Object.fromEntries(KINDS.map((kind) => [kind, count(kind)])) as Record<
    ArchiveKind,
    number
  >;
}
