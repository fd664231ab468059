/** What a death left half written on the disk: evidence of where it fell that no event gives. */
import type { FileOnDisk } from './harness/engine-page';

export interface Trace {
  readonly found: 'file half written' | 'checkpoint half written';
  readonly path: string;
}

/** Of runs' checkpoints, whose folders count once their last file, `complete`, is there. */
export function tracesIn(files: readonly FileOnDisk[], sinceMs = 0): Trace[] {
  const folderOf = ({ path }: FileOnDisk) => /^runs\/[^/]+\/checkpoint-\d+\//.exec(path)?.[0];
  const complete = new Set(
    files.filter((file) => file.path === `${folderOf(file)}complete`).map(folderOf),
  );
  const traces = new Map<string, Trace>();
  for (const file of files.filter(({ modifiedMs }) => modifiedMs >= sinceMs)) {
    const { path, isTemporary } = file;
    const folder = folderOf(file);
    if (isTemporary) traces.set(path, { found: 'file half written', path });
    if (folder !== undefined && !complete.has(folder))
      traces.set(folder, { found: 'checkpoint half written', path: folder });
  }
  return [...traces.values()];
}
