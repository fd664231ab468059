/**
 * The one place that reaches a foreign host: a GET, to a listed host, while the seal is open, written
 * into the ledger before it leaves and when its last byte has come.
 */
import type { Tables } from '../storage/table-store';
import { HubError } from './errors';
import { isAllowedUrl } from './hosts';
import { isSealClosed, Ledger } from './ledger';
import { SEALED_HEADER } from './worker-messages';

export interface ForeignGet {
  url: string;
  purpose: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** A connection that brings nothing for so long counts as dropped. */
  stallMs?: number;
}

export interface ForeignAnswer {
  status: number;
  ok: boolean;
  headers: Headers;
  /** The body, once. Unread ones must be given up by `discard`. */
  bytes(): AsyncGenerator<Uint8Array>;
  text(maxBytes: number): Promise<string>;
  discard(): Promise<void>;
}

const STALL_MS = 60_000;

export async function fetchForeign(tables: Tables, request: ForeignGet): Promise<ForeignAnswer> {
  const { url, purpose, headers, signal, stallMs = STALL_MS } = request;
  signal?.throwIfAborted();
  const ledger = new Ledger(tables);
  const refusal = !isAllowedUrl(url)
    ? hostNotAllowed(url)
    : (await isSealClosed(tables))
      ? sealed(url)
      : undefined;
  if (refusal) {
    if (URL.canParse(url)) await ledger.begin({ url, method: 'GET', purpose }, 'refused');
    throw refusal;
  }

  const entry = await ledger.begin({ url, method: 'GET', purpose });
  await ledger.announce(url);
  const watch = new Watch(stallMs);
  const { host } = new URL(url);
  let response: Response;
  try {
    response = await fetch(url, {
      headers,
      signal: signal ? AbortSignal.any([signal, watch.signal]) : watch.signal,
      mode: 'cors',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
    });
  } catch (cause) {
    await ledger.finish(entry, { outcome: signal?.aborted ? 'stopped' : 'failed' });
    signal?.throwIfAborted();
    throw dropped(host, cause);
  } finally {
    watch.stop();
    await ledger.withdraw(url);
  }

  const finalHost = response.url === '' ? host : new URL(response.url).host;
  const seen = {
    status: response.status,
    ...(finalHost === host ? {} : { finalHost }),
  };
  const giveUp = (): Promise<void> =>
    response.body?.cancel().catch(() => undefined) ?? Promise.resolve();
  if (response.headers.has(SEALED_HEADER) || (response.url !== '' && !isAllowedUrl(response.url))) {
    await giveUp();
    await ledger.finish(entry, { ...seen, outcome: 'refused' });
    throw response.headers.has(SEALED_HEADER) ? sealed(url) : hostNotAllowed(response.url);
  }

  async function* bytes(): AsyncGenerator<Uint8Array> {
    const reader = response.body?.getReader();
    let count = 0;
    let outcome: 'ok' | 'failed' | 'stopped' = 'stopped';
    try {
      for (;;) {
        watch.start();
        const next = await reader?.read();
        watch.stop();
        if (!next || next.done) break;
        count += next.value.length;
        yield next.value;
      }
      outcome = response.ok ? 'ok' : 'failed';
    } catch (cause) {
      if (!signal?.aborted) outcome = 'failed';
      signal?.throwIfAborted();
      throw dropped(host, cause);
    } finally {
      watch.stop();
      await giveUpReader(reader);
      await ledger.finish(entry, { ...seen, bytes: count, outcome });
    }
  }

  return {
    status: response.status,
    ok: response.ok,
    headers: response.headers,
    bytes,
    async text(maxBytes) {
      const decoder = new TextDecoder();
      let text = '';
      let count = 0;
      for await (const chunk of bytes()) {
        count += chunk.length;
        if (count > maxBytes) {
          const message = `${host} sent more than ${maxBytes} bytes where a short answer was expected.`;
          throw new HubError('bad-answer', message, { details: { host } });
        }
        text += decoder.decode(chunk, { stream: true });
      }
      return text + decoder.decode();
    },
    async discard() {
      await giveUp();
      await ledger.finish(entry, { ...seen, outcome: response.ok ? 'stopped' : 'failed' });
    },
  };
}

/** Aborts its signal when nothing has happened for a while. */
class Watch {
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ms: number) {
    this.start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  start(): void {
    this.stop();
    this.#timer = setTimeout(
      () => this.#controller.abort(new Error('nothing came for too long')),
      this.ms,
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

async function giveUpReader(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
): Promise<void> {
  await reader?.cancel().catch(() => undefined);
}

const sealed = (url: string): HubError =>
  new HubError(
    'sealed',
    `The seal is closed, so nothing was sent to ${new URL(url).host}. Open it in Settings to download.`,
    {
      details: { host: new URL(url).host },
    },
  );

function hostNotAllowed(url: string): HubError {
  const host = URL.canParse(url) ? new URL(url).host : url.slice(0, 80);
  return new HubError(
    'host-not-allowed',
    `${host} is not among the hosts that Inkstone may ask for models. Get the model elsewhere and drop its folder here.`,
    { details: { host } },
  );
}

const dropped = (host: string, cause: unknown): HubError =>
  new HubError(
    'dropped',
    `The connection to ${host} broke off. Check the network and go on; nothing is lost.`,
    {
      retryable: true,
      details: { host },
      cause,
    },
  );
