/**
 * Memory of plans: tensors whose lifetimes do not overlap share a slot, and plans that never run
 * at the same time share the arena's buffers.
 */
import type { Gpu } from './device';
import type { Tensor } from './tensor';

export interface Lifetime {
  readonly tensor: Tensor;
  /** Index of the dispatch that first touches it. */
  readonly first: number;
  /** Index of the last dispatch that touches it, or Infinity to outlive the plan. */
  readonly last: number;
}

export interface SlotPlan {
  /** Bytes of each slot. */
  readonly sizes: number[];
  /** Slot of each tensor. */
  readonly slotOf: Map<Tensor, number>;
}

/**
 * The largest tensor first, each into the smallest slot that is free for as long as it lives, else into a new one
 * (greedy by size, Pisarchyk and Lee 2020, arXiv 2001.03288): no slot ever grows. Deterministic in its input.
 */
export function assignSlots(lifetimes: readonly Lifetime[]): SlotPlan {
  const sizes: number[] = [];
  const slotOf = new Map<Tensor, number>();
  const tenants: Lifetime[][] = [];
  const ordered = [...lifetimes].sort(
    (a, b) => b.tensor.sizeBytes - a.tensor.sizeBytes || a.first - b.first,
  );
  for (const lifetime of ordered) {
    // Slots are made in falling order of size, so the last that is free fits best.
    let slot = sizes.length - 1;
    while (slot >= 0 && tenants[slot].some((other) => overlaps(other, lifetime))) slot--;
    if (slot < 0) {
      slot = sizes.length;
      sizes.push(lifetime.tensor.sizeBytes);
      tenants.push([]);
    }
    tenants[slot].push(lifetime);
    slotOf.set(lifetime.tensor, slot);
  }
  return { sizes, slotOf };
}

function overlaps(a: Lifetime, b: Lifetime): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export class Arena {
  private readonly buffers: { buffer: GPUBuffer; sizeBytes: number }[] = [];

  constructor(
    private readonly gpu: Gpu,
    readonly label: string,
  ) {}

  get sizeBytes(): number {
    return this.buffers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** One buffer for each size, reusing what the arena already holds. Build the largest plan first. */
  acquire(sizes: readonly number[]): GPUBuffer[] {
    const free = [...this.buffers].sort((a, b) => a.sizeBytes - b.sizeBytes);
    const result = new Array<GPUBuffer>(sizes.length);
    const order = sizes.map((_, index) => index).sort((a, b) => sizes[b] - sizes[a]);
    for (const index of order) {
      const found = free.findIndex(({ sizeBytes }) => sizeBytes >= sizes[index]);
      if (found >= 0) {
        result[index] = free.splice(found, 1)[0].buffer;
        continue;
      }
      const sizeBytes = Math.max(4, sizes[index]);
      const buffer = this.gpu.createBuffer({
        label: `${this.label}/slot ${this.buffers.length}`,
        sizeBytes,
      });
      this.buffers.push({ buffer, sizeBytes });
      result[index] = buffer;
    }
    return result;
  }

  dispose(): void {
    for (const { buffer } of this.buffers.splice(0)) this.gpu.destroyBuffer(buffer);
  }
}
