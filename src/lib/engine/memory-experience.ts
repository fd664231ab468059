/**
 * What earlier runs have shown of this device's GPU memory, which WebGPU does not tell: the smallest total that ran
 * out, and the largest that a run finished with. Kept for each graphics card by its name; a larger run that works
 * makes the limit forgotten.
 */
import type { Gpu } from '../gpu';
import type { RunSummary } from '../rpc/engine-api';
import type { TableRecord } from '../storage';
import type { EngineContext } from './context';

/** Bytes of all that a run holds, the model's weights included. */
export interface KnownMemory {
  readonly failedBytes?: number;
  readonly workedBytes?: number;
}

type MemoryRecord = TableRecord & KnownMemory;

/** What worked before and would fail now says nothing any more: others have taken the memory. */
export function afterFailure({ failedBytes, workedBytes }: KnownMemory, bytes: number) {
  const least = Math.min(failedBytes ?? Infinity, bytes);
  return {
    failedBytes: least,
    ...(workedBytes !== undefined && workedBytes < least && { workedBytes }),
  };
}

export function afterSuccess({ failedBytes, workedBytes }: KnownMemory, bytes: number) {
  const most = Math.max(workedBytes ?? 0, bytes);
  return {
    workedBytes: most,
    ...(failedBytes !== undefined && failedBytes > most && { failedBytes }),
  };
}

export class MemoryExperience {
  constructor(private readonly context: Pick<EngineContext, 'tables' | 'device'>) {}

  async of(gpu: Gpu): Promise<KnownMemory> {
    return (await this.context.tables.get<MemoryRecord>('settings', idOf(gpu))) ?? {};
  }

  /** The same promise: whatever cannot be learned or kept is no matter of the run. */
  async learnFrom(run: Promise<RunSummary>): Promise<RunSummary> {
    try {
      const summary = await run;
      const { status, peakGpuBytes, provenance } = summary;
      // One that went on from another card may have had its peak there.
      if (status === 'finished' && peakGpuBytes && provenance?.devices.length === 1)
        await this.keep((known) => afterSuccess(known, peakGpuBytes));
      return summary;
    } catch (error) {
      const { code, details } = error as { code?: string; details?: { neededBytes?: unknown } };
      const bytes = details?.neededBytes;
      if (code === 'out-of-memory' && typeof bytes === 'number')
        await this.keep((known) => afterFailure(known, bytes));
      throw error;
    }
  }

  private async keep(change: (known: KnownMemory) => KnownMemory): Promise<void> {
    try {
      const gpu = await this.context.device.gpu();
      if (!gpu) return;
      const id = idOf(gpu);
      await this.context.tables.update<MemoryRecord>('settings', id, (found) => {
        const { failedBytes, workedBytes } = found ?? {};
        return { id, schemaVersion: 1, ...change({ failedBytes, workedBytes }) };
      });
    } catch {
      // A full device: the next run teaches it again.
    }
  }
}

const idOf = ({ adapterName }: Gpu): string => `memory of ${adapterName}`;
