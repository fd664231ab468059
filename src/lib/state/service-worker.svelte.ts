/**
 * What a page shows of its service worker: the seal, the ledger, and an update that waits until the
 * work under way is done. How to talk to it is the hub's business.
 */
import {
  registerServiceWorker,
  type App,
  type LedgerEntry,
  type PendingUpdate,
} from '../hub/register';

export type { LedgerEntry } from '../hub/register';

/** Whether the page, the bundled model and the samples are on this device for going offline. */
export type OfflineState = 'unknown' | 'preparing' | 'ready' | 'missing';

class ServiceWorkerState {
  sealed = $state(false);
  offline = $state<OfflineState>('unknown');
  update = $state.raw<PendingUpdate>();
  /** Resolves when it is known whether a worker is in control; never rejects. */
  readonly settled: Promise<unknown>;
  #settle: (value: unknown) => void = () => {};
  #app: App | undefined;

  constructor() {
    this.settled = new Promise((resolve) => (this.#settle = resolve));
  }

  /** Call once, in the layout. */
  async start(base: string): Promise<void> {
    this.#app = registerServiceWorker({ base, onUpdateReady: (update) => (this.update = update) });
    this.#settle(this.#app.controlled);
    try {
      const controlled = await this.#app.controlled;
      this.sealed = await this.#app.isSealed();
      if (!controlled) this.offline = 'missing';
      else if (!savesData()) void this.keepBundled();
    } catch {
      // Storage is closed to this page: nothing was ever sealed.
    }
  }

  async setSeal(closed: boolean): Promise<void> {
    await this.#app?.setSeal(closed);
    this.sealed = closed;
  }

  /** Newest first. */
  async readLedger(): Promise<LedgerEntry[]> {
    return (await this.#app?.readLedger()) ?? [];
  }

  /** Keeps the bundled models, the samples and the workers for going offline; what is kept costs nothing. */
  async keepBundled(): Promise<void> {
    if (!this.#app || this.offline === 'preparing' || this.offline === 'ready') return;
    this.offline = 'preparing';
    const failed = await this.#app.keepBundled().catch(() => undefined);
    this.offline = failed?.length === 0 ? 'ready' : 'missing';
  }
}

/** The person asked the browser to spare their connection. */
function savesData(): boolean {
  const { connection } = navigator as { connection?: { saveData?: boolean } };
  return connection?.saveData ?? false;
}

export const serviceWorker = new ServiceWorkerState();
