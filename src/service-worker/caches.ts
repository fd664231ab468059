/**
 * Three caches. `shell-VERSION`: what a version starts with, kept whole; the one before it stays for
 * tabs that still run it. `assets`: large hashed files, kept at first use over versions. `bundled`:
 * models and samples, keyed by their digest.
 */
import {
  bundledDigests,
  fallbackPage,
  isImmutable,
  pages,
  shellFiles,
  version,
  worker,
} from './scope';

const SHELL_PREFIX = 'inkstone-shell-';
const SHELL = `${SHELL_PREFIX}${version}`;
const ASSETS = 'inkstone-assets';
const BUNDLED = 'inkstone-bundled';

/** Fails, and with it the installation, unless every file of the version was read. */
export async function keepShell(): Promise<void> {
  const shell = await caches.open(SHELL);
  await Promise.all([...shellFiles, ...pages].map((path) => keepOne(shell, path)));
  // The only file that a host may hide.
  await keepOne(shell, fallbackPage).catch(() => undefined);
}

async function keepOne(cache: Cache, path: string): Promise<void> {
  const kept = isImmutable(path) ? await caches.match(path) : undefined;
  const response = kept ?? (await fetch(path, { cache: isImmutable(path) ? 'default' : 'reload' }));
  if (response.status !== 200) throw new Error(`${path} answered ${response.status}.`);
  await cache.put(path, response);
}

export const findInShell = async (path: string): Promise<Response | undefined> =>
  (await caches.open(SHELL)).match(path);

/**
 * A hashed file of any version. That this version uses it is written into its shell, because the build
 * does not list what workers load.
 */
export async function findImmutable(path: string): Promise<Response | undefined> {
  const inShell = await findInShell(path);
  if (inShell) return inShell;
  const found = await caches.match(path);
  if (found) await markUsed(path);
  return found;
}

export async function keepAsset(path: string, response: Response): Promise<void> {
  await (await caches.open(ASSETS)).put(path, response);
  await markUsed(path);
}

const USED_MARK = '?used';
const marked = new Set<string>();

async function markUsed(path: string): Promise<void> {
  if (marked.has(path)) return;
  marked.add(path);
  // A full device must not break the answer; at worst the file is read again after an update.
  await (await caches.open(SHELL)).put(path + USED_MARK, new Response()).catch(() => undefined);
}

const bundledKey = (path: string): string => `${path}?digest=${bundledDigests.get(path) ?? ''}`;

export const findBundled = async (path: string): Promise<Response | undefined> =>
  (await caches.open(BUNDLED)).match(bundledKey(path));

export async function keepBundled(path: string, response: Response): Promise<void> {
  await (await caches.open(BUNDLED)).put(bundledKey(path), response);
}

/** Keeps a same-origin file now, unless it is there. Throws when it cannot be read. */
export async function keepNow(path: string): Promise<void> {
  const bundled = bundledDigests.has(path);
  const kept = bundled
    ? await findBundled(path)
    : isImmutable(path) || pages.has(path)
      ? await caches.match(path)
      : undefined;
  if (kept) return;
  const response = await fetch(path, { cache: isImmutable(path) ? 'default' : 'no-cache' });
  if (response.status !== 200) throw new Error(`${path} answered ${response.status}.`);
  await (bundled ? keepBundled(path, response) : keepAsset(path, response));
}

/** At the start of a version: what no tab can still need. */
export async function discardOldCaches(): Promise<void> {
  // Names come in the order of creation, so the last of the others is the version before.
  const others = (await caches.keys()).filter(
    (name) => name.startsWith(SHELL_PREFIX) && name !== SHELL,
  );
  await Promise.all(others.slice(0, -1).map((name) => caches.delete(name)));

  const currentKeys = new Set([...bundledDigests.keys()].map(bundledKey));
  await discardFrom(BUNDLED, ({ pathname, search }) => !currentKeys.has(pathname + search));

  const previous = others.at(-1);
  if (previous === undefined) return;
  const used = await (await caches.open(previous)).keys();
  const usedPaths = new Set(used.map(({ url }) => new URL(url).pathname));
  await discardFrom(ASSETS, ({ pathname }) => !usedPaths.has(pathname));
}

async function discardFrom(name: string, isOld: (url: URL) => boolean): Promise<void> {
  const cache = await caches.open(name);
  for (const request of await cache.keys()) {
    if (isOld(new URL(request.url, worker.location.href))) await cache.delete(request);
  }
}
