/**
 * Files that come with the page, from its own origin: bundled models and samples. The service worker
 * keeps them once used; no foreign host is involved, so neither the seal nor the ledger is.
 */
import { HubError } from './errors';

/**
 * Throws HubError 'offline' when the file is not kept and the page's server does not give it.
 * `cache: 'reload'` passes by what is kept and replaces it.
 */
export async function fetchOwn(
  url: string | URL,
  signal?: AbortSignal,
  cache?: RequestCache,
): Promise<Response> {
  const address = new URL(url);
  const own = (globalThis as { location?: { origin: string } }).location?.origin;
  if (own !== undefined && own !== 'null' && address.origin !== own) {
    throw new HubError('host-not-allowed', `${address.host} is not this page's own host.`, {
      details: { host: address.host },
    });
  }
  let response: Response;
  try {
    response = await fetch(address, { signal, cache });
  } catch (cause) {
    signal?.throwIfAborted();
    throw offline(address, cause);
  }
  if (!response.ok) throw offline(address, response.status);
  return response;
}

const offline = ({ pathname }: URL, cause: unknown): HubError =>
  new HubError(
    'offline',
    `${pathname} is not on this device yet and the page's server does not give it. Go online once, then it works offline.`,
    { retryable: true, details: { path: pathname }, cause },
  );
