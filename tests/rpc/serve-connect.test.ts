/**
 * Plan: a call and its result; progress in order; abort both ways; transfers both ways; every kind of
 * error with its fields; refusals by name; hostile messages beside a control that still works; crash
 * and disposal. All over a MessageChannel; a Worker differs only in its `error` event, which a stand-in
 * raises here.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { InkstoneError } from '../../src/lib/config/errors';
import {
  connect,
  RemoteError,
  RpcError,
  moveToCaller,
  serve,
  type ApiMethod,
} from '../../src/lib/rpc';

interface TestApi {
  double: ApiMethod<number, number>;
  count: ApiMethod<{ upTo: number }, string, number>;
  wait: ApiMethod<void, never>;
  sum: ApiMethod<Uint8Array, number>;
  make: ApiMethod<number, Uint8Array>;
  fail: ApiMethod<'room' | 'type' | 'text' | 'abort', void>;
  leak: ApiMethod<void, unknown>;
}

class DataError extends InkstoneError<'wrong-field'> {}

let served: AbortSignal | undefined;
let made: Uint8Array | undefined;

const api: TestApi = {
  double: (input) => Promise.resolve(input * 2),
  count: async ({ upTo }, { progress }) => {
    for (let n = 1; n <= upTo; n++) progress(n);
    return 'done';
  },
  wait: (_input, { signal }) =>
    new Promise((_resolve, reject) => {
      served = signal;
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    }),
  sum: (bytes) => Promise.resolve(bytes.reduce((a, b) => a + b, 0)),
  make: (size) => {
    made = new Uint8Array(size).fill(7);
    return Promise.resolve(moveToCaller(made, [made.buffer]));
  },
  fail: (kind) => {
    if (kind === 'room') {
      throw new DataError('wrong-field', 'Row 3 has no output.', {
        retryable: true,
        details: { row: 3, field: 'output' },
        cause: new Error('the deeper reason'),
      });
    }
    if (kind === 'abort') throw new DOMException('stopped inside', 'AbortError');
    if (kind === 'text') throw 'only a string';
    throw new TypeError('x is not a function');
  },
  leak: () => Promise.resolve(() => 'a function'),
};

const open: { close(): void }[] = [];

function pair(target: object = api) {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  const stop = serve(target, port2);
  const crashes: InkstoneError[] = [];
  const remote = connect<TestApi>(port1, { onCrash: (error) => crashes.push(error) });
  return { remote, callerPort: port1, serverPort: port2, stop, crashes };
}

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => Promise.reject(new Error('expected a rejection')),
    (error: Error) => error,
  );

afterEach(() => {
  for (const port of open.splice(0)) port.close();
  served = made = undefined;
});

describe('a call', () => {
  it('brings its result, and calls in flight do not mix', async () => {
    const { remote } = pair();
    expect(await Promise.all([1, 2, 3].map((n) => remote.double(n)))).toEqual([2, 4, 6]);
  });

  it('brings every progress update in order before its result', async () => {
    const { remote } = pair();
    const seen: number[] = [];
    expect(await remote.count({ upTo: 5 }, { onProgress: (n) => seen.push(n) })).toBe('done');
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('keeps two callers on one port apart', async () => {
    const { remote, callerPort } = pair();
    const second = connect<TestApi>(callerPort);
    expect(await Promise.all([remote.double(4), second.double(5)])).toEqual([8, 10]);
  });

  it('moves buffers named in transfer, and copies them otherwise', async () => {
    const { remote } = pair();
    const moved = new Uint8Array([1, 2, 3]);
    const copied = new Uint8Array([4, 5]);
    expect(await remote.sum(moved, { transfer: [moved.buffer] })).toBe(6);
    expect(await remote.sum(copied)).toBe(9);
    expect([moved.byteLength, copied.byteLength]).toEqual([0, 2]);
  });

  it('moves the buffers of a Transfer to the caller', async () => {
    const { remote } = pair();
    expect(await remote.make(4)).toEqual(new Uint8Array(4).fill(7));
    expect(made?.byteLength).toBe(0);
  });

  it('reaches the methods of a class with its own this', async () => {
    class Engine {
      private factor = 3;
      double(input: number): Promise<number> {
        return Promise.resolve(input * this.factor);
      }
    }
    expect(await pair(new Engine()).remote.double(2)).toBe(6);
  });

  it('lets a connection be awaited without calling the worker', async () => {
    const { remote } = pair();
    expect(await (await Promise.resolve(remote)).double(1)).toBe(2);
  });
});

describe('aborting', () => {
  it('rejects the caller with an AbortError and aborts the served signal', async () => {
    const { remote } = pair();
    const controller = new AbortController();
    const call = failure(remote.wait(undefined, { signal: controller.signal }));
    await vi.waitFor(() => expect(served).toBeDefined());
    expect(served?.aborted).toBe(false);
    controller.abort();
    expect((await call).name).toBe('AbortError');
    await vi.waitFor(() => expect(served?.aborted).toBe(true));
  });

  it('leaves other calls alone', async () => {
    const { remote } = pair();
    const controller = new AbortController();
    const stopped = failure(remote.wait(undefined, { signal: controller.signal }));
    const other = remote.double(21);
    controller.abort();
    await stopped;
    expect(await other).toBe(42);
  });

  it('never starts a call whose signal is already aborted', async () => {
    const { remote } = pair();
    const error = await failure(remote.wait(undefined, { signal: AbortSignal.abort() }));
    expect(error.name).toBe('AbortError');
    await remote.double(1);
    expect(served).toBeUndefined();
  });

  it('that happens inside the worker crosses as an AbortError', async () => {
    const error = await failure(pair().remote.fail('abort'));
    expect([error.name, error instanceof DOMException]).toEqual(['AbortError', true]);
  });

  it('follows when the server stops', async () => {
    const { remote, stop } = pair();
    void remote.wait().catch(() => undefined);
    await vi.waitFor(() => expect(served).toBeDefined());
    stop();
    expect(served?.aborted).toBe(true);
  });
});

describe('an error', () => {
  it('of a room crosses with name, code, message, retryable, details, stack and cause', async () => {
    const error = await failure(pair().remote.fail('room'));
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toBeInstanceOf(InkstoneError);
    expect(error).toMatchObject({
      name: 'DataError',
      code: 'wrong-field',
      message: 'Row 3 has no output.',
      retryable: true,
      details: { row: 3, field: 'output' },
    });
    expect((error as RemoteError).remoteStack).toContain('serve-connect.test');
    expect((error as RemoteError).remoteStack).toContain('the deeper reason');
  });

  it('of no room gets the code unexpected', async () => {
    const { remote } = pair();
    expect(await failure(remote.fail('type'))).toMatchObject({
      name: 'TypeError',
      code: 'unexpected',
      retryable: false,
    });
    expect(await failure(remote.fail('text'))).toMatchObject({ message: 'only a string' });
  });

  it('is reported when a result or an input cannot be cloned, and the next call works', async () => {
    const { remote } = pair();
    expect(await failure(remote.leak())).toMatchObject({ code: 'not-cloneable' });
    const input = (() => 0) as unknown as number;
    expect(await failure(remote.double(input))).toMatchObject({ code: 'not-cloneable' });
    expect(await remote.double(2)).toBe(4);
  });
});

describe('what is not served', () => {
  const names = [
    'nothing',
    'constructor',
    'toString',
    '__proto__',
    'hasOwnProperty',
    '_private',
    'secret',
  ];
  it.each(names)('refuses %s by name', async (name) => {
    const target = { ...api, _private: () => 1, secret: 'no function' };
    const { remote } = pair(target);
    const call = (remote as unknown as Record<string, (input?: unknown) => Promise<unknown>>)[name];
    expect(await failure(call())).toMatchObject({ name: 'RpcError', code: 'unknown-method' });
    expect(await remote.double(1)).toBe(2);
  });
});

describe('hostile messages', () => {
  const mark = 'inkstone-rpc-1';
  const toServer: [string, unknown][] = [
    ['null', null],
    ['a string', 'call'],
    ['a number', 7],
    ['an array', [mark, 'call']],
    ['no mark', { kind: 'call', id: 'x', method: 'double', input: 1 }],
    ['another version', { mark: 'inkstone-rpc-0', kind: 'call', id: 'x', method: 'double' }],
    ['an id that is no string', { mark, kind: 'call', id: 5, method: 'double', input: 1 }],
    ['a method that is no string', { mark, kind: 'call', id: 'x', method: ['double'], input: 1 }],
    ['an unknown kind', { mark, kind: 'eval', id: 'x', method: 'double', input: 1 }],
    ['an abort of a call that is not there', { mark, kind: 'abort', id: 'never' }],
  ];

  it.each(toServer)('to the server are ignored: %s', async (_title, message) => {
    const { remote, callerPort } = pair();
    const answers: unknown[] = [];
    callerPort.addEventListener('message', (event) => answers.push(event.data));
    callerPort.postMessage(message);
    expect(await remote.double(1)).toBe(2);
    expect(answers).toHaveLength(1);
  });

  it('to the server: a second call under a running id does not disturb the first', async () => {
    const { port1, port2 } = new MessageChannel();
    open.push(port1, port2);
    const double = vi.fn((n: number) => new Promise((done) => setTimeout(done, 20, n * 2)));
    serve({ double }, port2);
    const answers: unknown[] = [];
    port1.addEventListener('message', (event) => answers.push(event.data));
    port1.start();
    for (const input of [1, 100])
      port1.postMessage({ mark, kind: 'call', id: 'a', method: 'double', input });
    await vi.waitFor(() => expect(answers).toEqual([{ mark, kind: 'result', id: 'a', value: 2 }]));
    expect(double).toHaveBeenCalledTimes(1);
  });

  it('to the caller are ignored, and a lying error still becomes an error', async () => {
    const { port1, port2 } = new MessageChannel();
    open.push(port1, port2);
    port2.addEventListener('message', (event: MessageEvent<{ id: string }>) => {
      const { id } = event.data;
      for (const message of [
        null,
        'x',
        { id, kind: 'result', value: 1 },
        { mark, kind: 'result', id: 'other' },
      ]) {
        port2.postMessage(message);
      }
      port2.postMessage({
        mark,
        kind: 'error',
        id,
        error: { code: 5, message: null, details: { a: {}, b: 1 } },
      });
    });
    port2.start();
    const error = await failure(connect<TestApi>(port1).double(1));
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ name: 'Error', code: 'unexpected', details: { b: 1 } });
  });
});

/** A Worker as far as `connect` sees it. */
class FakeWorker extends EventTarget {
  terminated = false;
  postMessage(): void {}
  terminate(): void {
    this.terminated = true;
  }
}

describe('a worker that dies', () => {
  it.each(['error', 'messageerror'])(
    'by %s rejects all pending and later calls and says so once',
    async (type) => {
      const worker = new FakeWorker();
      const onCrash = vi.fn();
      const remote = connect<TestApi>(worker as unknown as Worker, { onCrash });
      const calls = [failure(remote.double(1)), failure(remote.wait())];
      worker.dispatchEvent(Object.assign(new Event(type), { message: 'out of memory' }));
      worker.dispatchEvent(new Event(type));
      for (const error of await Promise.all(calls)) {
        expect(error).toBeInstanceOf(RpcError);
        expect(error).toMatchObject({ code: 'worker-crashed', retryable: true });
      }
      expect(await failure(remote.double(2))).toMatchObject({ code: 'worker-crashed' });
      expect(onCrash).toHaveBeenCalledTimes(1);
      expect(worker.terminated).toBe(true);
    },
  );

  it('is told apart from one that was disposed of', async () => {
    const worker = new FakeWorker();
    const onCrash = vi.fn();
    const remote = connect<TestApi>(worker as unknown as Worker, { onCrash });
    const call = failure(remote.double(1));
    remote.dispose();
    worker.dispatchEvent(new Event('error'));
    expect(await call).toMatchObject({ code: 'disposed' });
    expect([worker.terminated, onCrash.mock.calls.length]).toEqual([true, 0]);
  });

  it('and disposal aborts what the server still runs', async () => {
    const { remote } = pair();
    const call = failure(remote.wait());
    await vi.waitFor(() => expect(served).toBeDefined());
    remote.dispose();
    expect(await call).toMatchObject({ code: 'disposed' });
    await vi.waitFor(() => expect(served?.aborted).toBe(true));
  });
});
