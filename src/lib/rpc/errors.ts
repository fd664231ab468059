/**
 * Errors of the worker boundary, and how any other room's error crosses it: class name, code, message,
 * `retryable`, details and stack survive, so a page branches on `code` as if there were no worker.
 */
import { InkstoneError } from '../config/errors';
import { readDetails, type WireError } from './serve-messages';

export type RpcErrorCode = 'worker-crashed' | 'disposed' | 'unknown-method' | 'not-cloneable';

/** The boundary itself failed. */
export class RpcError extends InkstoneError<RpcErrorCode> {}

/** An error that was thrown on the other side. `name` and `code` are the thrown error's own. */
export class RemoteError extends InkstoneError {
  /** Where it was thrown, in the other thread. */
  readonly remoteStack: string;

  constructor(wire: WireError) {
    super(wire.code, wire.message, { retryable: wire.retryable, details: wire.details });
    this.name = wire.name;
    this.remoteStack = wire.stack;
  }
}

export const isAbortError = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'name' in error && error.name === 'AbortError';

/** Code `aborted` for an AbortError, `unexpected` for what no room of ours has thrown. */
export function toWireError(error: unknown): WireError {
  if (error instanceof InkstoneError) {
    return {
      name: error.name,
      code: error.code,
      message: error.message,
      retryable: error.retryable,
      details: readDetails(error.details),
      stack: stackWithCause(error),
    };
  }
  const code = isAbortError(error) ? 'aborted' : 'unexpected';
  if (error instanceof Error) {
    const { name, message } = error;
    return { name, code, message, retryable: false, details: {}, stack: stackWithCause(error) };
  }
  return {
    name: 'Error',
    code,
    message: describe(error),
    retryable: false,
    details: {},
    stack: '',
  };
}

/** An AbortError comes out as the DOMException that every platform API rejects with. */
export function fromWireError(wire: WireError): Error {
  return wire.name === 'AbortError'
    ? new DOMException(wire.message, 'AbortError')
    : new RemoteError(wire);
}

function stackWithCause(error: Error): string {
  const stack = error.stack ?? '';
  return error.cause instanceof Error
    ? `${stack}\nCaused by: ${error.cause.stack ?? error.cause.message}`
    : stack;
}

function describe(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'Something that cannot be shown was thrown.';
  }
}
