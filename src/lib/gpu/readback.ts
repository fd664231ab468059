/** Reads a few small tensors back again and again without allocating and without stalling the queue. */
import { BUFFER_USAGE, type Gpu } from './device';
import type { Tensor } from './tensor';

export class ReadbackRing {
  private readonly free: GPUBuffer[] = [];
  private readonly all: GPUBuffer[] = [];
  private readonly sizeBytes: number;

  /** @param depth readings that may be under way at once */
  constructor(
    private readonly gpu: Gpu,
    private readonly tensors: readonly Tensor[],
    depth = 3,
  ) {
    this.sizeBytes = tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    for (let index = 0; index < depth; index++) {
      const buffer = gpu.createBuffer({
        label: `readback ${index}`,
        sizeBytes: this.sizeBytes,
        usage: BUFFER_USAGE.MAP_READ | BUFFER_USAGE.COPY_DST,
      });
      this.all.push(buffer);
      this.free.push(buffer);
    }
  }

  /** Values as they are after all work submitted so far, one tensor after the other. */
  async read(): Promise<Float32Array> {
    const staging = this.free.pop();
    if (!staging) throw new RangeError('More readings are under way than the ring was made for.');
    const encoder = this.gpu.device.createCommandEncoder({ label: 'readback' });
    let offset = 0;
    for (const { memory, sizeBytes } of this.tensors) {
      encoder.copyBufferToBuffer(memory!.buffer, memory!.offset, staging, offset, sizeBytes);
      offset += sizeBytes;
    }
    this.gpu.device.queue.submit([encoder.finish()]);
    await this.gpu.waiting(staging.mapAsync(1));
    const values = new Float32Array(staging.getMappedRange().slice(0));
    staging.unmap();
    this.free.push(staging);
    return values;
  }

  dispose(): void {
    for (const buffer of this.all.splice(0)) this.gpu.destroyBuffer(buffer);
    this.free.length = 0;
  }
}
