import { InkstoneError } from '../config';
import type { ToldError } from '../rpc/engine-api';
import { StorageError } from '../storage';

export type EngineErrorCode =
  | 'no-training'
  | 'busy'
  | 'not-found'
  | 'not-running'
  | 'bad-files'
  | 'model-in-use'
  | 'wrong-model'
  | 'bundled'
  /** An evaluation on what a run held back, and it held back nothing. */
  | 'nothing-held-back'
  /** A record is there, and what it describes is not: the browser cleared it. */
  | 'evicted'
  /** What an unfinished run learns from was deleted. */
  | 'data-gone'
  /** It is there, and no longer what the run began with. */
  | 'data-changed'
  | 'model-changed'
  /** A file with everything in it that is none, is damaged, or says other than it holds. */
  | 'wrong-archive'
  /** A newer version wrote it. */
  | 'newer-archive';

export class EngineError extends InkstoneError<EngineErrorCode> {}

export function evicted(name: string): EngineError {
  return new EngineError(
    'evicted',
    `${name} is no longer whole on this device: the browser has cleared files of it. Import it again, and it takes its old place.`,
    { details: { name } },
  );
}

export function notFound(what: string, id: string): EngineError {
  return new EngineError('not-found', `There is no ${what} ${id} on this device.`, {
    details: { what, id },
  });
}

/** What names the kind of an error where it has no code of ours. */
const OTHER = 'failed';

export function describeError(error: unknown): ToldError {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof InkstoneError)) return { code: OTHER, message, details: {} };
  return { code: error.code, message, details: error.details };
}

export const isStorageFull = (error: unknown): boolean =>
  error instanceof StorageError && error.code === 'full';
