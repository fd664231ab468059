import { InkstoneError } from '../config';
import { StorageError } from '../storage';

export type EngineErrorCode =
  | 'no-training'
  | 'busy'
  | 'not-found'
  | 'not-running'
  | 'bad-files'
  | 'model-in-use'
  | 'wrong-model'
  | 'bundled';

export class EngineError extends InkstoneError<EngineErrorCode> {}

export function notFound(what: string, id: string): EngineError {
  return new EngineError('not-found', `There is no ${what} ${id} on this device.`, {
    details: { what, id },
  });
}

export const isStorageFull = (error: unknown): boolean =>
  error instanceof StorageError && error.code === 'full';
