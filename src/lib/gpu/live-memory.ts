/** What a device holds: every buffer and image that was made and not given back, and the first that found no memory. */
import { GpuError } from './errors';

type Held = GPUBuffer | GPUTexture;

export class LiveMemory {
  private readonly sizes = new Map<Held, number>();
  /** The first that found no memory since anybody was told. */
  private shortage: GpuError | undefined;

  constructor(private readonly device: GPUDevice) {}

  get count(): number {
    return this.sizes.size;
  }

  get bytes(): number {
    let sum = 0;
    for (const size of this.sizes.values()) sum += size;
    return sum;
  }

  /** One that finds no memory is given back, and is a shortage. */
  make<Made extends Held>(label: string, sizeBytes: number, create: () => Made): Made {
    this.device.pushErrorScope('out-of-memory');
    const made = create();
    this.sizes.set(made, sizeBytes);
    const scope = this.device.popErrorScope();
    void scope
      .then((error) => {
        if (!error) return;
        this.giveBack(made);
        this.shortage ??= outOfMemory(`${label} (${sizeBytes} bytes)`);
      })
      .catch(() => {});
    return made;
  }

  giveBack(made: Held): void {
    if (this.sizes.delete(made)) made.destroy();
  }

  giveBackAll(): void {
    for (const made of this.sizes.keys()) made.destroy();
    this.sizes.clear();
  }

  takeShortage(): GpuError | undefined {
    const { shortage } = this;
    this.shortage = undefined;
    return shortage;
  }
}

export const outOfMemory = (what: string): GpuError =>
  new GpuError(
    'out-of-memory',
    `${what}: the GPU has no memory left. Use a smaller batch, a shorter length or a smaller model.`,
  );
