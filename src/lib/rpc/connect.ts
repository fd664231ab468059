/**
 * The caller's end of a served object: calls become promises that carry progress, cancellation and
 * transfers, and that all reject when the worker dies, by an event or without one. It knows no method
 * by name.
 */
import type { InkstoneError } from '../config/errors';
import type { CallOptions, Remote } from './protocol';
import { fromWireError, RpcError } from './errors';
import { awaitFirstSign, FIRST_SIGN_MS, watchLifeline } from './lifeline';
import { readReply, WIRE_MARK, type Port } from './serve-messages';

export interface ConnectOptions {
  /** Called once, after every pending call was rejected. The connection is of no use afterwards. */
  onCrash?: (error: InkstoneError) => void;
  /** A Worker that says nothing for so long has never come to life. Shorter in tests. */
  firstSignMs?: number;
}

export type Connection<Api> = Remote<Api> & {
  /** Rejects pending calls, aborts them on the other side, and terminates a Worker or closes a port. */
  dispose(): void;
};

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  onProgress?: (update: unknown) => void;
  settle: () => void;
}

export function connect<Api>(
  worker: Worker | MessagePort,
  options: ConnectOptions = {},
): Connection<Api> {
  const port = worker as Port;
  const caller = crypto.randomUUID();
  const pending = new Map<string, Pending>();
  const watching = new AbortController();
  const waiting = new AbortController();
  let calls = 0;
  let ended: InkstoneError | undefined;

  function call(
    method: string,
    input: unknown,
    given: CallOptions<unknown> = {},
  ): Promise<unknown> {
    const { signal, onProgress, transfer = [] } = given;
    return new Promise((resolve, reject) => {
      if (ended) return reject(ended);
      if (signal?.aborted) return reject(abortError());
      const id = `${caller}:${++calls}`;
      const onAbort = (): void => {
        take(id)?.reject(abortError());
        port.postMessage({ mark: WIRE_MARK, kind: 'abort', id });
      };
      try {
        port.postMessage({ mark: WIRE_MARK, kind: 'call', id, method, input }, { transfer });
      } catch (cause) {
        const message = `The input of ${method} cannot cross the worker boundary: ${String(cause)}`;
        return reject(new RpcError('not-cloneable', message, { cause }));
      }
      const settle = (): void => signal?.removeEventListener('abort', onAbort);
      pending.set(id, { resolve, reject, onProgress, settle });
      signal?.addEventListener('abort', onAbort);
    });
  }

  function take(id: string): Pending | undefined {
    const entry = pending.get(id);
    pending.delete(id);
    entry?.settle();
    return entry;
  }

  const onMessage = (event: Event): void => {
    const reply = readReply((event as MessageEvent<unknown>).data);
    if (!reply) return;
    waiting.abort();
    if (reply.kind === 'alive') watch(reply.lock);
    else if (reply.kind === 'progress') pending.get(reply.id)?.onProgress?.(reply.update);
    else if (reply.kind === 'result') take(reply.id)?.resolve(reply.value);
    else take(reply.id)?.reject(fromWireError(reply.error));
  };

  function watch(lock: string): void {
    if (lock !== '') watchLifeline(lock, watching.signal, () => crash('the browser ended it.'));
  }

  function end(error: InkstoneError): void {
    ended = error;
    watching.abort();
    waiting.abort();
    for (const [type, listener] of listeners) port.removeEventListener(type, listener);
    for (const id of [...pending.keys()]) take(id)?.reject(error);
    if ('terminate' in worker) worker.terminate();
    else worker.close();
  }

  function crash(found: string): void {
    if (ended) return;
    const error = new RpcError('worker-crashed', `The worker stopped: ${found} Start it again.`, {
      retryable: true,
    });
    end(error);
    options.onCrash?.(error);
  }

  const listeners: [string, (event: Event) => void][] = [
    ['message', onMessage],
    ['error', (event) => crash(describeCrash(event))],
    ['messageerror', () => crash('a message could not be read.')],
  ];
  for (const [type, listener] of listeners) port.addEventListener(type, listener);
  port.start?.();
  // The other end of a port may come later.
  if ('terminate' in worker)
    awaitFirstSign(options.firstSignMs ?? FIRST_SIGN_MS, waiting.signal, () =>
      crash('it never began.'),
    );

  function dispose(): void {
    if (ended) return;
    for (const id of pending.keys()) port.postMessage({ mark: WIRE_MARK, kind: 'abort', id });
    end(new RpcError('disposed', 'The connection to the worker was closed.'));
  }

  const methods = new Map<string, unknown>([['dispose', dispose]]);
  return new Proxy({} as Connection<Api>, {
    get(_target, name) {
      // Without this, awaiting or returning the connection from an async function would call the worker.
      if (typeof name !== 'string' || name === 'then') return undefined;
      if (!methods.has(name)) {
        methods.set(name, (input: unknown, given?: CallOptions<unknown>) =>
          call(name, input, given),
        );
      }
      return methods.get(name);
    },
  });
}

const abortError = (): DOMException => new DOMException('The call was stopped.', 'AbortError');

function describeCrash(event: Event): string {
  const message = 'message' in event && typeof event.message === 'string' ? event.message : '';
  return message === '' ? 'its script failed to load or its memory ran out.' : `${message}.`;
}
