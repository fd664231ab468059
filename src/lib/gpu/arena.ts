/**
 * Memory of plans: tensors whose lifetimes do not overlap share a slot, and plans that never run
 * at the same time share the arena's buffers.
 */
import type { Gpu } from './device';
import { imageBytes } from './image';
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
  private readonly images: { texture: GPUTexture; layers: number }[] = [];

  constructor(
    private readonly gpu: Gpu,
    readonly label: string,
  ) {}

  get sizeBytes(): number {
    const ofBuffers = this.buffers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return this.images.reduce((sum, { layers }) => sum + imageBytes(layers), ofBuffers);
  }

  /** One buffer for each size, reusing what the arena already holds. Build the largest plan first. */
  acquire(sizes: readonly number[]): GPUBuffer[] {
    return acquireEach(
      this.buffers.map(({ buffer, sizeBytes }) => ({ made: buffer, size: sizeBytes })),
      sizes,
      (size) => {
        const sizeBytes = Math.max(4, size);
        const label = `${this.label}/slot ${this.buffers.length}`;
        const buffer = this.gpu.createBuffer({ label, sizeBytes });
        this.buffers.push({ buffer, sizeBytes });
        return buffer;
      },
    );
  }

  /** The same for images, by layers. */
  acquireImages(layerCounts: readonly number[]): GPUTexture[] {
    return acquireEach(
      this.images.map(({ texture, layers }) => ({ made: texture, size: layers })),
      layerCounts,
      (layers) => {
        const texture = this.gpu.createImage(`${this.label}/image ${this.images.length}`, layers);
        this.images.push({ texture, layers });
        return texture;
      },
    );
  }

  dispose(): void {
    for (const { buffer } of this.buffers.splice(0)) this.gpu.destroyBuffer(buffer);
    for (const { texture } of this.images.splice(0)) this.gpu.destroyImage(texture);
  }
}

/** The largest first, each the smallest of those made that is large enough and not taken yet, else a new one. */
function acquireEach<T>(
  made: readonly { made: T; size: number }[],
  sizes: readonly number[],
  make: (size: number) => T,
): T[] {
  const free = [...made].sort((a, b) => a.size - b.size);
  const result = new Array<T>(sizes.length);
  const order = sizes.map((_, index) => index).sort((a, b) => sizes[b] - sizes[a]);
  for (const index of order) {
    const found = free.findIndex(({ size }) => size >= sizes[index]);
    result[index] = found >= 0 ? free.splice(found, 1)[0].made : make(sizes[index]);
  }
  return result;
}
