/** Answers requests to this origin: from the caches where it may, from the network where it must. */
import { findBundled, findImmutable, findInShell, keepAsset, keepBundled } from './caches';
import { cutRange } from './range';
import { base, bundledDigests, fallbackPage, isImmutable, pages, workerPolicy } from './scope';

/** Keeps the worker alive for work that outlives the answer. */
type Later = (work: Promise<unknown>) => void;

export async function answerOwn(request: Request, later: Later): Promise<Response> {
  const path = new URL(request.url).pathname;
  return addHeaders(await find(request, path, later), request.destination);
}

async function find(request: Request, path: string, later: Later): Promise<Response> {
  if (bundledDigests.has(path)) {
    const kept = await findBundled(path);
    return cutRange(request, kept ?? (await fetchAndKeep(path, keepBundled, later)));
  }
  if (isImmutable(path)) return cutRange(request, await findAsset(request, path, later));
  if (request.mode === 'navigate') return (await findPage(new URL(request.url))) ?? fetch(request);
  const shell = await findInShell(path);
  if (shell) return cutRange(request, shell);
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await caches.match(path);
    if (kept) return cutRange(request, kept);
    throw error;
  }
}

/** What is kept, unless whoever found it damaged asks for another, as tools that disable caches do. */
async function findAsset({ cache }: Request, path: string, later: Later): Promise<Response> {
  const kept = await findImmutable(path);
  if (!kept) return fetchAndKeep(path, keepAsset, later);
  if (cache !== 'reload') return kept;
  const fresh = await fetchAndKeep(path, keepAsset, later, cache).catch(() => undefined);
  return fresh?.ok ? fresh : kept;
}

/** The shell that belongs to this version; undefined for a file that somebody opens by its name. */
async function findPage({ pathname: path, search }: URL): Promise<Response | undefined> {
  const trimmed = path.replace(/(\/index)?\.html$/, '').replace(/(.)\/$/, '$1');
  const page = [path, trimmed, `${trimmed}/`, trimmed || '/'].find((name) => pages.has(name));
  // Pages name their scripts relative to their own path, so another spelling of it must not be served.
  if (page !== undefined) return page === path ? findInShell(page) : redirect(page, search);
  const shell = await findInShell(path);
  if (shell) return shell;
  const isFile = /\.[^/]+$/.test(path) || path.startsWith(`${base}/_app/`);
  return isFile ? undefined : findInShell(fallbackPage);
}

const redirect = (path: string, search: string): Response =>
  new Response(null, { status: 308, headers: { Location: path + search } });

async function fetchAndKeep(
  path: string,
  keep: (path: string, response: Response) => Promise<void>,
  later: Later,
  cache: RequestCache = 'default',
): Promise<Response> {
  // The whole file, whatever range was asked for: it is what is kept.
  const response = await fetch(path, { cache });
  if (response.status === 200) {
    // A full device must not break the answer.
    later(keep(path, response.clone()).catch(() => undefined));
  }
  return response;
}

function addHeaders(response: Response, destination: RequestDestination): Response {
  // A redirect for the browser to follow, or an error: it has no headers to add to.
  if (response.type === 'opaqueredirect' || response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  headers.set('Cross-Origin-Resource-Policy', 'same-origin');
  if (destination === 'worker') headers.set('Content-Security-Policy', workerPolicy);
  // The body is decoded by now, and these speak of the encoded one.
  if (headers.has('Content-Encoding')) {
    headers.delete('Content-Encoding');
    headers.delete('Content-Length');
  }
  const { status, statusText } = response;
  const hasBody = status !== 204 && status !== 304;
  return new Response(hasBody ? response.body : null, { status, statusText, headers });
}
