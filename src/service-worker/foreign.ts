/**
 * Requests to other hosts: refused while the seal is closed, and otherwise written down unless the hub
 * has done so. When it cannot be known whether the seal is closed, it is taken to be.
 */
import { isSealClosed, Ledger, setSealClosed } from '../lib/hub/ledger';
import { SEALED_HEADER } from '../lib/hub/worker-messages';
import { StorageError } from '../lib/storage/errors';
import { MemoryTables } from '../lib/storage/memory-tables';
import type { Tables } from '../lib/storage/table-store';
import { openTables } from '../lib/storage/tables';

let opened: Promise<Tables> | undefined;

/** In a private window without IndexedDB the seal and the ledger live as long as this worker. */
const tables = (): Promise<Tables> =>
  (opened ??= (async () => {
    const stored = openTables();
    try {
      await isSealClosed(stored);
      return stored;
    } catch (error) {
      const unavailable = error instanceof StorageError && error.code === 'unavailable';
      return unavailable ? new MemoryTables() : stored;
    }
  })());

export async function isClosed(): Promise<boolean> {
  try {
    return await isSealClosed(await tables());
  } catch {
    return true;
  }
}

export async function setClosed(closed: boolean): Promise<boolean> {
  await setSealClosed(await tables(), closed);
  return closed;
}

export const readLedger = async () => new Ledger(await tables()).list();

export async function answerForeign(request: Request): Promise<Response> {
  const ledger = new Ledger(await tables());
  const { url, method } = request;
  if (await isClosed()) {
    await ledger.begin({ url, method, purpose: '' }, 'refused').catch(() => undefined);
    return refusal(new URL(url).host);
  }
  // Without storage for it, the request is not held back: it is what the person asked for.
  if (await ledger.isAnnounced(url).catch(() => true)) return fetch(request);

  const entry = await ledger.begin({ url, method, purpose: '' });
  try {
    const response = await fetch(request);
    const finalHost = response.url ? new URL(response.url).host : entry.host;
    await ledger.finish(entry, {
      outcome: response.ok || response.type === 'opaque' ? 'ok' : 'failed',
      status: response.status,
      bytes: Number(response.headers.get('Content-Length') ?? 0),
      ...(finalHost === entry.host ? {} : { finalHost }),
    });
    return response;
  } catch (error) {
    await ledger.finish(entry, { outcome: request.signal.aborted ? 'stopped' : 'failed' });
    throw error;
  }
}

function refusal(host: string): Response {
  const message = `The seal is closed: Inkstone sends nothing to ${host}. Open it in Settings to download.`;
  return new Response(JSON.stringify({ error: 'sealed', message }), {
    status: 503,
    statusText: 'Sealed',
    headers: {
      'Content-Type': 'application/json',
      'Cross-Origin-Resource-Policy': 'cross-origin',
      [SEALED_HEADER]: 'closed',
    },
  });
}
