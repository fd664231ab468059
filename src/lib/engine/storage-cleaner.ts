/**
 * Finds and removes what can go without losing a model, data, or of any run the newest or the best checkpoint: other
 * checkpoints, what finished runs would need to go on, exports already taken, and what crashes left. A download
 * that broke off stays: it goes on where it was.
 */
import type { FileEntry } from '../storage';
import { finalCheckpoint } from './adapter-id';
import { checkpointFolder, runFolder, unfinishedFolders } from './checkpoint-store';
import { isTraining, type EngineContext } from './context';
import { importedFolder, type AdapterLibrary } from './adapter-library';
import { arrivingOf } from './arrivals';
import { folderOf, type ModelLibrary } from './model-library';
import type { RunLibrary } from './run-library';
import { STAGE } from './archive-importer';
import { isArchiving } from './archive-service';
import { EXPORTS } from './export-service';

export class StorageCleaner {
  constructor(
    private readonly context: EngineContext,
    private readonly runs: RunLibrary,
    private readonly models: ModelLibrary,
    private readonly adapters: AdapterLibrary,
  ) {}

  async measure(): Promise<number> {
    const { entries, isSpare } = await this.look();
    return sizeOf(entries.filter(isSpare));
  }

  /** @returns bytes that were freed */
  async clean(): Promise<number> {
    const { entries, isSpare, older } = await this.look();
    const spare = entries.filter(isSpare);
    // Whole checkpoints first: once their mark is gone, nobody takes the rest for one.
    for (const { runId, step } of older) await this.runs.checkpoints.remove(runId, step);
    for (const { path } of spare) await this.context.files.remove(path);
    return sizeOf(spare);
  }

  private async look() {
    const { files } = this.context;
    const older: { runId: string; step: number }[] = [];
    // What an import has moved into place is not recorded yet.
    if (await isArchiving()) return { entries: [], isSpare: () => false, older };
    const spareFolders = [EXPORTS, STAGE];
    // Before the listing: what a run was writing then may be whole by now.
    const isWriting = await isTraining();
    const entries: FileEntry[] = [];
    for (const folder of ['runs', 'models', 'adapters', ...spareFolders])
      entries.push(...(await files.list(folder)));
    if (!isWriting) spareFolders.push(...unfinishedFolders(entries));
    // In this order: what arrives meanwhile is either not listed, or still held, or recorded.
    const arriving = await arrivingOf(foldersOf(entries));
    const runs = await this.runs.list();
    const recorded = [
      ...(await this.models.list()).map(({ id }) => folderOf(id)),
      ...(await this.context.tables.list('adapters')).map(({ id }) => importedFolder(id)),
    ];
    const spareFiles = new Set<string>();
    for (const { id, status, checkpoints, bestStep } of runs) {
      const final = finalCheckpoint({ checkpoints, bestStep });
      const newest = checkpoints.at(-1);
      const goesOn = checkpoints.findLast(({ resumeBytes }) => resumeBytes > 0);
      for (const checkpoint of checkpoints)
        if (![newest, final, goesOn].includes(checkpoint))
          older.push({ runId: id, step: checkpoint.step });
      if (newest && status === 'finished')
        spareFiles.add(this.runs.checkpoints.resumeFile(id, newest.step));
    }
    spareFolders.push(...older.map(({ runId, step }) => checkpointFolder(runId, step)));
    const outliving = (await this.adapters.list()).flatMap(({ runId, step }) =>
      runId !== undefined && step !== undefined ? [checkpointFolder(runId, step)] : [],
    );
    const owned = [...runs.map(({ id }) => runFolder(id)), ...outliving, ...recorded, ...arriving];
    const isUnder = ({ path }: FileEntry, folders: readonly string[]) =>
      folders.some((folder) => path.startsWith(`${folder}/`));
    const isSpare = (entry: FileEntry) =>
      isUnder(entry, spareFolders) || spareFiles.has(entry.path) || !isUnder(entry, owned);
    return { entries, isSpare, older };
  }
}

/** The two uppermost: `models/one`, `adapters/another`. */
const foldersOf = (entries: readonly FileEntry[]): string[] => [
  ...new Set(entries.map(({ path }) => path.split('/').slice(0, 2).join('/'))),
];

const sizeOf = (entries: readonly FileEntry[]) =>
  entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
