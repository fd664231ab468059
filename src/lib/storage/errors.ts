/** Errors of the device's own storage. All are ordinary states with a page that explains them. */
import { InkstoneError } from '../config/errors';

export type StorageErrorCode =
  /** The device has no room left. `details`: neededBytes and freeBytes, where the browser says so. */
  | 'full'
  /** No storage at all: a private window, blocked site data, or an old browser. */
  | 'unavailable'
  | 'not-found'
  | 'bad-path'
  /** Another part of this page or another tab has the file open; retryable. */
  | 'busy'
  /** Another tab holds the lock that the work needs. */
  | 'second-tab'
  /** Another tab runs a newer version of the app and has changed the tables: reload this one. */
  | 'newer-version'
  | 'failed';

export class StorageError extends InkstoneError<StorageErrorCode> {}

const nameOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'name' in error ? String(error.name) : '';

/**
 * What a platform exception means, for the file or table called `what`. An AbortError and errors of
 * ours pass through unchanged: they are not about storage.
 */
export function toStorageError(error: unknown, what: string): Error {
  if (error instanceof InkstoneError) return error;
  const options = { cause: error, details: { what } };
  switch (nameOf(error)) {
    case 'AbortError':
      return error as Error;
    case 'QuotaExceededError':
      return storageFull(what, undefined, undefined, error);
    case 'NotFoundError':
      return new StorageError('not-found', `${what} is not on this device.`, options);
    case 'TypeMismatchError':
      return new StorageError(
        'bad-path',
        `${what}: a file stands where a folder is needed.`,
        options,
      );
    case 'NoModificationAllowedError':
    case 'InvalidStateError':
      return new StorageError('busy', `${what} is in use. Close what uses it and try again.`, {
        ...options,
        retryable: true,
      });
    case 'SecurityError':
    case 'NotAllowedError':
    case 'UnknownError':
      return storageUnavailable(error);
    case 'VersionError':
      return newerVersion(error);
    default:
      return new StorageError(
        'failed',
        `${what} could not be read or written: ${String(error)}`,
        options,
      );
  }
}

export function storageFull(
  what: string,
  neededBytes?: number,
  freeBytes?: number,
  cause?: unknown,
): StorageError {
  const details: Record<string, string | number> = { what };
  if (neededBytes !== undefined) details.neededBytes = neededBytes;
  if (freeBytes !== undefined) details.freeBytes = freeBytes;
  const numbers =
    neededBytes === undefined || freeBytes === undefined
      ? ''
      : ` It needs ${megabytes(neededBytes)} and ${megabytes(freeBytes)} are free.`;
  const message = `There is no room on this device for ${what}.${numbers} Delete a model or a run that you no longer need.`;
  return new StorageError('full', message, { retryable: true, details, cause });
}

export const storageUnavailable = (cause?: unknown): StorageError =>
  new StorageError(
    'unavailable',
    'This browser gives the page no storage. Leave the private window or allow site data, then reload.',
    { cause },
  );

export const newerVersion = (cause?: unknown): StorageError =>
  new StorageError('newer-version', 'A newer Inkstone is open in another tab. Reload this one.', {
    cause,
  });

const megabytes = (bytes: number): string => `${Math.ceil(Math.max(0, bytes) / 2 ** 20)} MiB`;
