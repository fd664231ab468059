/** What a device holds: every buffer and image that was made and not given back, and who is told of one that found no memory. */
import { GpuError } from './errors';

type Held = GPUBuffer | GPUTexture;

/** What one maker of buffers has to be told: the first that found no memory since it was. */
export class Shortage {
  private first: GpuError | undefined;

  note(error: GpuError): void {
    this.first ??= error;
  }

  take(): GpuError | undefined {
    const { first } = this;
    this.first = undefined;
    return first;
  }
}

export interface HeldRequest {
  readonly label: string;
  readonly sizeBytes: number;
  /** Of whoever makes it. */
  readonly shortage: Shortage;
}

export class LiveMemory {
  private readonly sizes = new Map<Held, number>();

  constructor(private readonly device: GPUDevice) {}

  get count(): number {
    return this.sizes.size;
  }

  get bytes(): number {
    let sum = 0;
    for (const size of this.sizes.values()) sum += size;
    return sum;
  }

  /** One that finds no memory is given back, and noted as its maker's shortage. */
  make<Made extends Held>({ label, sizeBytes, shortage }: HeldRequest, create: () => Made): Made {
    this.device.pushErrorScope('out-of-memory');
    const made = create();
    this.sizes.set(made, sizeBytes);
    const scope = this.device.popErrorScope();
    void scope
      .then((error) => {
        if (!error) return;
        this.giveBack(made);
        shortage.note(outOfMemory(`${label} (${sizeBytes} bytes)`));
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
}

export const outOfMemory = (what: string): GpuError =>
  new GpuError(
    'out-of-memory',
    `${what}: the GPU has no memory left. Use a smaller batch, a shorter length or a smaller model.`,
  );
