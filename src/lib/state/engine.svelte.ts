/**
 * Owns the engine worker: starts it when first needed, notices when it or its device dies, starts it
 * again. It knows what the engine is busy with, but not what any page shows.
 */
import { connect, type Connection } from '../rpc/connect';
import type { DeviceReport, EngineApi } from '../rpc/engine-api';
import { serviceWorker } from './service-worker.svelte';

export type EnginePhase = 'idle' | 'starting' | 'ready' | 'crashed' | 'device-lost' | 'second-tab';

export type ActivityKind =
  'opening' | 'training' | 'chatting' | 'evaluating' | 'exporting' | 'busy';

export interface Activity {
  kind: ActivityKind;
  label: string;
  /** 0 to 1. */
  share: number;
}

export type EngineRemote = Connection<EngineApi>;

const BROKEN: Readonly<Record<string, EnginePhase>> = {
  'worker-crashed': 'crashed',
  'device-lost': 'device-lost',
  'second-tab': 'second-tab',
};

class Engine {
  phase = $state<EnginePhase>('idle');
  device = $state.raw<DeviceReport>();
  deviceError = $state.raw<unknown>();
  #activities = $state<Activity[]>([]);
  #connection: EngineRemote | undefined;
  #restartListeners: (() => void)[] = [];

  readonly activity = $derived(this.#activities.at(-1));
  readonly busy = $derived(this.#activities.length > 0);
  readonly broken = $derived(
    this.phase === 'crashed' || this.phase === 'device-lost' || this.phase === 'second-tab',
  );
  readonly canTrain = $derived(this.device !== undefined && !this.device.trainingBlocked);

  /** Looks at the device once; safe to call from every page. */
  async start(): Promise<void> {
    if (this.phase !== 'idle') return;
    this.phase = 'starting';
    this.deviceError = undefined;
    try {
      this.device = await this.call((api) => api.describeDevice());
      if (this.phase === 'starting') this.phase = 'ready';
    } catch (error) {
      this.deviceError = error;
      if (this.phase === 'starting') this.phase = 'ready';
    }
  }

  /** Every call of a page goes through here, so that a dead worker or device is noticed once. */
  async call<Result>(use: (api: EngineRemote) => Promise<Result>): Promise<Result> {
    await serviceWorker.settled;
    try {
      return await use(this.#connect());
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      const broken = typeof code === 'string' ? BROKEN[code] : undefined;
      if (broken) this.phase = broken;
      throw error;
    }
  }

  /** `call`, shown on the status line while it lasts; the callback may update the activity. */
  async track<Result>(
    kind: ActivityKind,
    label: string,
    use: (api: EngineRemote, activity: Activity) => Promise<Result>,
  ): Promise<Result> {
    this.#activities.push({ kind, label, share: 0 });
    const activity = this.#activities.at(-1)!;
    try {
      return await this.call((api) => use(api, activity));
    } finally {
      this.#activities = this.#activities.filter((item) => item !== activity);
    }
  }

  async restart(): Promise<void> {
    this.#connection?.dispose();
    this.#connection = undefined;
    this.phase = 'idle';
    await this.start();
    if (!this.broken) for (const listener of this.#restartListeners) listener();
  }

  onRestart(listener: () => void): void {
    this.#restartListeners.push(listener);
  }

  /** What the browser has answered the page, which alone may ask it. */
  notePersisted(persisted: boolean): void {
    if (!this.device) return;
    const { storage } = this.device;
    const durable = storage.durable || persisted;
    this.device = { ...this.device, storage: { ...storage, persisted, durable } };
  }

  /** Free space changes with every import, run and deletion. */
  async refreshDevice(): Promise<void> {
    if (this.broken) return;
    try {
      this.device = await this.call((api) => api.describeDevice());
      this.deviceError = undefined;
    } catch (error) {
      this.deviceError = error;
    }
  }

  #connect(): EngineRemote {
    if (this.#connection) return this.#connection;
    const worker = new Worker(new URL('../../../workers/engine.ts', import.meta.url), {
      type: 'module',
      name: 'inkstone-engine',
    });
    this.#connection = connect<EngineApi>(worker, { onCrash: () => (this.phase = 'crashed') });
    return this.#connection;
  }
}

export const engine = new Engine();
