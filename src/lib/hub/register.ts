/**
 * The page's handle on its service worker: registration, waiting updates, the seal, the ledger, and
 * what to keep for going offline. Light enough for the first load; without a service worker the seal
 * and the ledger are read from storage, which is imported only then.
 */
import { isLockHeld, RUN_LOCK } from '../storage/locks';
import type { LedgerEntry } from './ledger';
import type {
  ServiceWorkerAnswer,
  ServiceWorkerAnswers,
  ServiceWorkerMessage,
} from './worker-messages';

export type { LedgerEntry, LedgerOutcome } from './ledger';

export interface PendingUpdate {
  /** Starts the new version and reloads this page. False, and nothing, while any tab trains. */
  apply(): Promise<boolean>;
}

export interface RegisterOptions {
  /** SvelteKit's `base`. */
  base?: string;
  /** A new version is downloaded and waits. It never starts by itself while a tab is open. */
  onUpdateReady?: (update: PendingUpdate) => void;
}

export interface App {
  /**
   * True once requests pass the service worker; false in development, without one, where none could be registered,
   * for a page that was loaded past it, and after 3 s.
   */
  readonly controlled: Promise<boolean>;
  readLedger(): Promise<LedgerEntry[]>;
  isSealed(): Promise<boolean>;
  setSeal(closed: boolean): Promise<void>;
  /** Caches same-origin URLs now. Answers with those that failed. */
  keep(urls: readonly string[]): Promise<string[]>;
  /** Caches every bundled model and sample, and the workers with their runtime. */
  keepBundled(): Promise<string[]>;
  /** Of the worker in control; undefined without one. */
  version(): Promise<string | undefined>;
}

const CONTROL_TIMEOUT_MS = 3_000;
const UPDATE_CHECK_MS = 60 * 60_000;

export function registerServiceWorker(options: RegisterOptions = {}): App {
  const workers = supportedWorkers();
  const controlled = workers
    ? whenControlled(workers, start(workers, options))
    : Promise.resolve(false);

  return {
    controlled,
    readLedger: async () =>
      (await ask(workers, { type: 'ledger' })) ?? (await (await withoutWorker()).readLedger()),
    isSealed: async () =>
      (await ask(workers, { type: 'sealed' })) ?? (await (await withoutWorker()).isSealed()),
    async setSeal(closed) {
      const done = await ask(workers, { type: 'seal', closed });
      if (done === undefined) await (await withoutWorker()).setSeal(closed);
    },
    keep: async (urls) =>
      (await ask(workers, { type: 'keep', urls: urls.map(absolute) })) ?? [...urls],
    keepBundled: async () =>
      (await ask(workers, { type: 'keep-bundled', gpu: 'gpu' in navigator })) ?? [],
    version: () => ask(workers, { type: 'version' }),
  };
}

async function start(
  workers: ServiceWorkerContainer,
  options: RegisterOptions,
): Promise<ServiceWorkerRegistration> {
  const { base = '', onUpdateReady } = options;
  reloadForIsolation(workers);
  const registration = await workers.register(`${base}/service-worker.js`, {
    scope: `${base}/`,
    updateViaCache: 'none',
  });
  const offer = (): void => {
    const { waiting } = registration;
    // Without a controller this is the first visit, and the worker starts by itself.
    if (waiting && workers.controller) onUpdateReady?.({ apply: () => apply(workers, waiting) });
  };
  offer();
  registration.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', offer);
  });
  setInterval(() => void registration.update().catch(() => undefined), UPDATE_CHECK_MS);
  return registration;
}

async function apply(workers: ServiceWorkerContainer, waiting: ServiceWorker): Promise<boolean> {
  if (await isLockHeld(RUN_LOCK)) return false;
  workers.addEventListener('controllerchange', () => location.reload(), { once: true });
  await post(waiting, { type: 'skip-waiting' });
  return true;
}

/**
 * A host that sends no isolation headers leaves the first page without shared memory. Once the worker
 * is in control a reload brings them; only while nobody has touched the page, and once a tab.
 */
function reloadForIsolation(workers: ServiceWorkerContainer): void {
  if (crossOriginIsolated || workers.controller) return;
  const mark = 'inkstone:reloaded-for-isolation';
  workers.addEventListener('controllerchange', () => {
    const touched = 'userActivation' in navigator && navigator.userActivation.hasBeenActive;
    if (touched || sessionStorage.getItem(mark) !== null) return;
    sessionStorage.setItem(mark, 'yes');
    location.reload();
  });
}

function whenControlled(
  workers: ServiceWorkerContainer,
  started: Promise<ServiceWorkerRegistration>,
): Promise<boolean> {
  return new Promise((done) => {
    const settle = (): void => done(workers.controller !== null);
    workers.addEventListener('controllerchange', () => done(true), { once: true });
    setTimeout(settle, CONTROL_TIMEOUT_MS);
    // A worker that is active has taken the pages that it takes; one that is new takes them when it becomes so.
    started.then(({ active }) => (active?.state === 'activated' ? settle() : undefined), settle);
    if (workers.controller) done(true);
  });
}

function supportedWorkers(): ServiceWorkerContainer | undefined {
  // In development Vite serves what changes; a worker would only hide it.
  if (import.meta.env.DEV || !('serviceWorker' in navigator)) return undefined;
  return navigator.serviceWorker;
}

type Message<Type extends keyof ServiceWorkerAnswers> = Extract<
  ServiceWorkerMessage,
  { type: Type }
>;

/** Undefined when no worker is in control. */
async function ask<Type extends keyof ServiceWorkerAnswers>(
  workers: ServiceWorkerContainer | undefined,
  message: Message<Type>,
): Promise<ServiceWorkerAnswers[Type] | undefined> {
  const controller = workers?.controller;
  return controller ? post(controller, message) : undefined;
}

function post<Type extends keyof ServiceWorkerAnswers>(
  worker: ServiceWorker,
  message: Message<Type>,
): Promise<ServiceWorkerAnswers[Type]> {
  return new Promise((resolve, reject) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<ServiceWorkerAnswer>) => {
      port1.close();
      if (data.ok) resolve(data.value as ServiceWorkerAnswers[Type]);
      else reject(new Error(data.message));
    };
    worker.postMessage(message, [port2]);
  });
}

/** The same records, read by the page itself. */
async function withoutWorker(): Promise<Pick<App, 'readLedger' | 'isSealed' | 'setSeal'>> {
  const [{ openTables }, { Ledger, isSealClosed, setSealClosed }] = await Promise.all([
    import('../storage/tables'),
    import('./ledger'),
  ]);
  const tables = openTables();
  return {
    readLedger: () => new Ledger(tables).list(),
    isSealed: () => isSealClosed(tables),
    setSeal: (closed) => setSealClosed(tables, closed),
  };
}

const absolute = (url: string): string => new URL(url, location.href).href;
