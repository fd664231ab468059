/**
 * The shapes on the wire between `connect` and `serve`, and the guards that distrust them: a port may
 * carry messages of other programs, old versions or hostile pages.
 */

/** Marks our messages among others on the same port; changes when the shapes do. */
export const WIRE_MARK = 'inkstone-rpc-1';

export interface WireError {
  name: string;
  code: string;
  message: string;
  retryable: boolean;
  details: Record<string, string | number>;
  stack: string;
}

/** Caller to server. `id` is unique over all callers of a port. */
export type Request =
  | { mark: typeof WIRE_MARK; kind: 'call'; id: string; method: string; input: unknown }
  | { mark: typeof WIRE_MARK; kind: 'abort'; id: string };

/** Server to caller, about a call. */
export type CallReply =
  | { mark: typeof WIRE_MARK; kind: 'progress'; id: string; update: unknown }
  | { mark: typeof WIRE_MARK; kind: 'result'; id: string; value: unknown }
  | { mark: typeof WIRE_MARK; kind: 'error'; id: string; error: WireError };

/**
 * Server to caller. `alive` is its first sign of life, and names the lock that its thread holds for as long
 * as it lives; '' where there are no Web Locks.
 */
export type Reply = CallReply | { mark: typeof WIRE_MARK; kind: 'alive'; lock: string };

/** A Worker, a MessagePort, or a worker's own global scope. */
export interface Port {
  postMessage(message: unknown, options?: { transfer?: Transferable[] }): void;
  addEventListener(type: string, listener: (event: Event) => void): void;
  removeEventListener(type: string, listener: (event: Event) => void): void;
  /** Only a MessagePort has it, and delivers nothing before. */
  start?(): void;
}

const own = (value: object, key: string): unknown =>
  Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;

const isMarked = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && own(value, 'mark') === WIRE_MARK;

/** The request in a message, or undefined for anything else; extra fields are dropped. */
export function readRequest(data: unknown): Request | undefined {
  if (!isMarked(data)) return undefined;
  const id = own(data, 'id');
  if (typeof id !== 'string') return undefined;
  const kind = own(data, 'kind');
  if (kind === 'abort') return { mark: WIRE_MARK, kind, id };
  const method = own(data, 'method');
  if (kind !== 'call' || typeof method !== 'string') return undefined;
  return { mark: WIRE_MARK, kind, id, method, input: own(data, 'input') };
}

/** The reply in a message, or undefined for anything else. */
export function readReply(data: unknown): Reply | undefined {
  if (!isMarked(data)) return undefined;
  const kind = own(data, 'kind');
  const lock = own(data, 'lock');
  if (kind === 'alive' && typeof lock === 'string') return { mark: WIRE_MARK, kind, lock };
  const id = own(data, 'id');
  if (typeof id !== 'string') return undefined;
  if (kind === 'progress') return { mark: WIRE_MARK, kind, id, update: own(data, 'update') };
  if (kind === 'result') return { mark: WIRE_MARK, kind, id, value: own(data, 'value') };
  if (kind === 'error')
    return { mark: WIRE_MARK, kind, id, error: readWireError(own(data, 'error')) };
  return undefined;
}

function readWireError(value: unknown): WireError {
  const source = typeof value === 'object' && value !== null ? value : {};
  const text = (key: string, fallback: string): string => {
    const found = own(source, key);
    return typeof found === 'string' ? found : fallback;
  };
  return {
    name: text('name', 'Error'),
    code: text('code', 'unexpected'),
    message: text('message', 'The worker reported an error without saying which.'),
    retryable: own(source, 'retryable') === true,
    details: readDetails(own(source, 'details')),
    stack: text('stack', ''),
  };
}

/** Keeps only what a sentence can be filled with. */
export function readDetails(value: unknown): Record<string, string | number> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string | number] =>
        typeof entry[1] === 'string' || typeof entry[1] === 'number',
    ),
  );
}
