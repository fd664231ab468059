/**
 * Answers the calls of `connect` with the methods of one object. It knows no method by name and
 * trusts no message.
 */
import { Transfer, type CallContext } from './protocol';
import { RpcError, toWireError } from './errors';
import { tieLifeline } from './lifeline';
import {
  readRequest,
  WIRE_MARK,
  type CallReply,
  type Port,
  type Reply,
  type Request,
} from './serve-messages';

type Method = (input: unknown, context: CallContext<unknown>) => unknown;

/** `CallReply` without the fields that every one shares. */
type ReplyBody = CallReply extends infer Each
  ? Each extends CallReply
    ? Omit<Each, 'mark' | 'id'>
    : never
  : never;

/**
 * Serves `api` on a port, by default the worker's own scope. Callable are its own functions and those
 * of its class, except what every object has and names that begin with `_`.
 * @returns stops serving and aborts what still runs.
 */
export function serve<Api extends object>(
  api: Api,
  port: MessagePort | Port = globalThis as unknown as Port,
): () => void {
  const running = new Map<string, AbortController>();
  const channel = port as Port;

  const reply = (id: string, body: ReplyBody, transfer?: Transferable[]): void =>
    channel.postMessage({ mark: WIRE_MARK, id, ...body }, { transfer: transfer ?? [] });

  const replyError = (id: string, error: unknown): void =>
    reply(id, { kind: 'error', error: toWireError(error) });

  async function answer(call: Request & { kind: 'call' }): Promise<void> {
    const { id } = call;
    if (running.has(id)) {
      // The first call keeps the id, so this answer would be taken for the first one's: stay silent.
      return;
    }
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const method = findMethod(api, call.method);
      const progress = (update: unknown): void => {
        if (running.get(id) !== controller) return;
        reply(id, { kind: 'progress', update });
      };
      const result = await method.call(api, call.input, { signal: controller.signal, progress });
      if (result instanceof Transfer) sendResult(id, result.value, result.transferables);
      else sendResult(id, result);
    } catch (error) {
      replyError(id, error);
    } finally {
      running.delete(id);
    }
  }

  function sendResult(id: string, value: unknown, transfer?: Transferable[]): void {
    try {
      reply(id, { kind: 'result', value }, transfer);
    } catch (cause) {
      throw new RpcError(
        'not-cloneable',
        `The result cannot cross the worker boundary: ${String(cause)}`,
        { cause },
      );
    }
  }

  const onMessage = (event: Event): void => {
    const request = readRequest((event as MessageEvent<unknown>).data);
    if (!request) return;
    if (request.kind === 'abort') running.get(request.id)?.abort(abortReason());
    else void answer(request);
  };

  channel.addEventListener('message', onMessage);
  channel.start?.();
  // Of a worker a first sign is waited for; who holds a port may have its other end for years.
  const isWorker = port === (globalThis as unknown);
  void tieLifeline().then((lock) => {
    if (lock !== undefined || isWorker)
      channel.postMessage({ mark: WIRE_MARK, kind: 'alive', lock: lock ?? '' } satisfies Reply);
  });
  return () => {
    channel.removeEventListener('message', onMessage);
    for (const controller of running.values()) controller.abort(abortReason());
    running.clear();
  };
}

/**
 * What a method returns to move buffers to the caller: typed as the value, since that is what arrives.
 */
export const moveToCaller = <Value>(value: Value, transferables: Transferable[]): Value =>
  new Transfer(value, transferables) as unknown as Value;

const abortReason = (): DOMException =>
  new DOMException('The caller stopped waiting.', 'AbortError');

function findMethod(api: object, name: string): Method {
  const hidden = name.startsWith('_') || name === 'constructor';
  for (
    let owner: object | null = hidden ? null : api;
    owner && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner) as object | null
  ) {
    const found = Object.getOwnPropertyDescriptor(owner, name)?.value as unknown;
    if (typeof found === 'function') return found as Method;
  }
  throw new RpcError(
    'unknown-method',
    `This worker has no method called ${JSON.stringify(name)}.`,
    {
      details: { method: name },
    },
  );
}
