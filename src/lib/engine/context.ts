/** What every part of the engine shares: where files and rows lie, and the device. */
import { Gpu, GpuError } from '../gpu';
import { isLockHeld, RUN_LOCK, type FileStore, type Tables } from '../storage';
import { EngineError } from './errors';

export interface EngineContext {
  readonly files: FileStore;
  readonly tables: Tables;
  /** Folder of the page's own files, ending in `/`: bundled models and samples lie under it. */
  readonly baseUrl: string;
  readonly device: EngineDevice;
}

/** Asks for the GPU once, remembers why there is none, and asks again after it was lost. */
export class EngineDevice {
  private pending: Promise<Gpu | undefined> | undefined;
  private reason: GpuError | undefined;

  constructor(
    private readonly entry: GPU | undefined,
    private readonly onLost: (error: GpuError) => void,
  ) {}

  /** Undefined where there is no usable WebGPU; `blocked` tells why. */
  gpu(): Promise<Gpu | undefined> {
    if (!this.pending) {
      const pending = this.request();
      this.pending = pending;
      // What failed in an unknown way is tried again by the next call.
      pending.catch(() => {
        if (this.pending === pending) this.pending = undefined;
      });
    }
    return this.pending;
  }

  /** @throws GpuError with the reason why there is no GPU */
  async requireGpu(): Promise<Gpu> {
    const gpu = await this.gpu();
    if (gpu) return gpu;
    throw new EngineError(
      'no-training',
      `Training needs WebGPU. ${this.reason?.message ?? ''}`.trim(),
      { details: { reason: this.reason?.code ?? 'no-webgpu' } },
    );
  }

  get blocked(): GpuError | undefined {
    return this.reason;
  }

  private async request(): Promise<Gpu | undefined> {
    try {
      const gpu = await Gpu.request(this.entry);
      this.reason = undefined;
      void gpu.lost.then((error) => {
        this.pending = undefined;
        this.onLost(error);
      });
      return gpu;
    } catch (error) {
      if (!(error instanceof GpuError)) throw error;
      this.reason = error;
      return undefined;
    }
  }
}

/** Whether another tab, or this one, is training. */
export const isTraining = (): Promise<boolean> => isLockHeld(RUN_LOCK);

export function newId(prefix: string): string {
  return `${prefix}-${crypto.randomUUID()}`;
}
