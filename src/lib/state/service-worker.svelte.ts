/**
 * The page's side of the service worker: registration, the seal, the ledger, and updates that wait
 * until the work under way is done. The messages are those of src/lib/hub/README.md.
 */
export interface LedgerEntry {
  id: number | string;
  /** Milliseconds since 1970. */
  time: number;
  method: string;
  host: string;
  path: string;
  finalHost?: string;
  bytes: number;
  purpose: string;
  outcome: string;
  status?: number;
}

type Question =
  | { type: 'seal'; closed: boolean }
  | { type: 'sealed' }
  | { type: 'ledger' }
  | { type: 'version' }
  | { type: 'skip-waiting' }
  | { type: 'keep-bundled' };

type Answer = { ok: true; value: unknown } | { ok: false; message: string };

/** The engine waits this long for a worker to take control, then starts without one. */
const CONTROL_WAIT_MS = 3000;
const ANSWER_WAIT_MS = 5000;

class ServiceWorkerState {
  /** Requests of this page pass the worker. */
  controlled = $state(false);
  sealed = $state(false);
  updateReady = $state(false);
  version = $state<string>();
  /** Resolves when it is known whether a worker is in control; never rejects. */
  readonly settled: Promise<void>;
  #settle: () => void = () => {};
  #waiting: ServiceWorker | null = null;
  #reloading = false;

  constructor() {
    this.settled = new Promise((resolve) => (this.#settle = resolve));
  }

  /** Call once, in the layout. */
  async start(scriptUrl: string, scope: string): Promise<void> {
    if (import.meta.env.DEV || !('serviceWorker' in navigator)) return this.#settle();
    const container = navigator.serviceWorker;
    const timer = setTimeout(this.#settle, CONTROL_WAIT_MS);
    container.addEventListener('controllerchange', () => {
      if (this.#reloading) location.reload();
      void this.#takeOver(timer);
    });
    try {
      const registration = await container.register(scriptUrl, { scope });
      this.#watch(registration);
      if (container.controller) await this.#takeOver(timer);
    } catch {
      // A private window or an odd host: the page works without offline use.
      this.#settle();
    }
  }

  async setSeal(closed: boolean): Promise<void> {
    await this.#ask({ type: 'seal', closed });
    this.sealed = closed;
  }

  /** Newest first. */
  async readLedger(): Promise<LedgerEntry[]> {
    return (await this.#ask({ type: 'ledger' })) as LedgerEntry[];
  }

  /** Keeps the bundled models and samples for going offline. */
  async keepBundled(): Promise<void> {
    await this.#ask({ type: 'keep-bundled' });
  }

  /** @returns false while a run in some tab holds the lock; offer it again when that ends */
  async applyUpdate(): Promise<boolean> {
    if (!this.#waiting) return false;
    this.#reloading = true;
    const applied = await this.#ask({ type: 'skip-waiting' }, this.#waiting);
    if (applied === false) this.#reloading = false;
    return applied !== false;
  }

  async #takeOver(timer: ReturnType<typeof setTimeout>): Promise<void> {
    clearTimeout(timer);
    this.controlled = true;
    this.#settle();
    try {
      this.sealed = (await this.#ask({ type: 'sealed' })) === true;
      this.version = String(await this.#ask({ type: 'version' }));
    } catch {
      // An older worker that does not know the question.
    }
  }

  #watch(registration: ServiceWorkerRegistration): void {
    const offer = (worker: ServiceWorker | null): void => {
      if (!worker || !navigator.serviceWorker.controller) return;
      this.#waiting = worker;
      this.updateReady = true;
    };
    offer(registration.waiting);
    registration.addEventListener('updatefound', () => {
      const worker = registration.installing;
      worker?.addEventListener('statechange', () => {
        if (worker.state === 'installed') offer(worker);
      });
    });
  }

  #ask(question: Question, to = navigator.serviceWorker.controller): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!to) return reject(new Error('No service worker is in control of this page.'));
      const { port1, port2 } = new MessageChannel();
      const timer = setTimeout(
        () => reject(new Error('The service worker did not answer.')),
        ANSWER_WAIT_MS,
      );
      port1.onmessage = ({ data }: MessageEvent<Answer>) => {
        clearTimeout(timer);
        if (data.ok) resolve(data.value);
        else reject(new Error(data.message));
      };
      to.postMessage(question, [port2]);
    });
  }
}

export const serviceWorker = new ServiceWorkerState();
