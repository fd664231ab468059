/**
 * How everything that a person made lies in one zip, version 1: `inkstone.json` lists every other entry with
 * size and SHA-256; `KIND/ID/record.json` is an item as the tables have it; `KIND/ID/files/NAME` are its
 * files as the store has them; `datasets/ID/rows.jsonl` are rows, one a line; `page.json` is what the page
 * keeps for itself.
 */
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE } from '../peft';
import type { ArchiveKind } from '../rpc/engine-api';
import { CHECKPOINT_FILES } from '../training';
import { checkpointFolder, COMPLETE, runFolder } from './checkpoint-store';
import { EngineError } from './errors';
import { importedFolder } from './adapter-library';
import { folderOf } from './model-library';

export const MANIFEST = 'inkstone.json';
export const PAGE = 'page.json';
export const RECORD = 'record.json';
export const ROWS = 'rows.jsonl';

/** In the order in which they are put back: what is named by others comes first. */
export const KINDS: readonly ArchiveKind[] = [
  'models',
  'datasets',
  'runs',
  'adapters',
  'evaluations',
];

/** As `newId` makes them; ids of what ships with the page or comes from the catalogue begin otherwise. */
const PREFIXES: Readonly<Record<ArchiveKind, string>> = {
  models: 'model',
  datasets: 'data',
  runs: 'run',
  adapters: 'adapter',
  evaluations: 'evaluation',
};

export const isIdOf = (kind: ArchiveKind, id: string): boolean =>
  id.startsWith(`${PREFIXES[kind]}-`) && /^[a-z]+-[0-9A-Za-z-]{1,100}$/.test(id);

export const prefixOf = (kind: ArchiveKind): string => PREFIXES[kind];

const NAMES_OF_CHECKPOINT = [...CHECKPOINT_FILES, COMPLETE];

/** Whether an item of this kind may have a file of this name. */
export function mayHaveFile(kind: ArchiveKind, name: string): boolean {
  switch (kind) {
    case 'models':
      return /^[^/]{1,200}$/.test(name);
    case 'runs': {
      const [, file] = /^checkpoint-(?:0|[1-9]\d{0,8})\/([^/]+)$/.exec(name) ?? [];
      return file !== undefined && NAMES_OF_CHECKPOINT.includes(file);
    }
    case 'adapters':
      return NAMES_OF_CHECKPOINT.includes(name);
    case 'datasets':
    case 'evaluations':
      return false;
  }
}

/** Without these an item is not whole. */
export const ADAPTER_FILES: readonly string[] = [ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE];

/** Where the files of an item lie in the store; an adapter that outlives its run keeps to its checkpoint. */
export function folderOfItem(
  kind: ArchiveKind,
  { id, runId, step }: { id: string; runId?: string; step?: number },
): string {
  if (kind === 'models') return folderOf(id);
  if (kind === 'runs') return runFolder(id);
  return runId !== undefined && step !== undefined
    ? checkpointFolder(runId, step)
    : importedFolder(id);
}

export type EntryPlace =
  | { readonly part: 'page' }
  | { readonly part: 'record' | 'rows'; readonly kind: ArchiveKind; readonly id: string }
  | {
      readonly part: 'file';
      readonly kind: ArchiveKind;
      readonly id: string;
      readonly name: string;
    };

/** What an entry of the archive is; undefined for a name that this layout does not have. */
export function placeOf(path: string): EntryPlace | undefined {
  if (path === PAGE) return { part: 'page' };
  const [kind, id, part, ...rest] = path.split('/');
  const known = KINDS.find((candidate) => candidate === kind);
  if (!known || id === undefined || !isIdOf(known, id)) return undefined;
  const name = rest.join('/');
  if (part === 'files')
    return mayHaveFile(known, name) ? { part: 'file', kind: known, id, name } : undefined;
  if (rest.length > 0) return undefined;
  if (part === RECORD) return { part: 'record', kind: known, id };
  return part === ROWS && known === 'datasets' ? { part: 'rows', kind: known, id } : undefined;
}

export const recordPath = (kind: ArchiveKind, id: string) => `${kind}/${id}/${RECORD}`;
export const rowsPath = (id: string) => `datasets/${id}/${ROWS}`;
export const filePath = (kind: ArchiveKind, id: string, name: string) =>
  `${kind}/${id}/files/${name}`;

/** @param found what is wrong, as the end of a sentence */
export function wrongArchive(fileName: string, found: string, next = ''): EngineError {
  return new EngineError(
    'wrong-archive',
    `${fileName} cannot be imported: ${found}. ${next || 'Take the file as Inkstone wrote it; nothing was changed.'}`,
    { details: { fileName, found } },
  );
}
