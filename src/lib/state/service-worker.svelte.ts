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

class ServiceWorkerState {
  sealed = $state(false);
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
      await this.#app.controlled;
      this.sealed = await this.#app.isSealed();
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

  /** Keeps the bundled models and samples for going offline. */
  async keepBundled(): Promise<void> {
    await this.#app?.keepBundled().catch(() => undefined);
  }
}

export const serviceWorker = new ServiceWorkerState();
