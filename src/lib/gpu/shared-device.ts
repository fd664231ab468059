/** A device as all have it in common who use it: whether it is gone, what lives on it, what is compiled for it. */
import { GpuError } from './errors';
import { LiveMemory } from './live-memory';
import { compilePipeline, pipelineKey, type KernelSource, type Pipeline } from './pipeline';

export class SharedDevice {
  readonly memory: LiveMemory;
  /** Resolves, never rejects, when the device is gone for any reason but `dispose`. */
  readonly lost: Promise<GpuError>;
  loss: GpuError | undefined;
  private readonly pipelines = new Map<
    string,
    { kernel: KernelSource; pipeline: Promise<Pipeline> }
  >();
  private disposed = false;

  constructor(private readonly device: GPUDevice) {
    this.memory = new LiveMemory(device);
    this.lost = new Promise((resolve) => {
      void device.lost.then((info) => {
        if (this.disposed) return;
        this.loss = new GpuError(
          'device-lost',
          `The GPU device was lost (${info.message || info.reason}). Work since the last checkpoint must be run again.`,
          { retryable: true },
        );
        resolve(this.loss);
      });
    });
  }

  /** Compiled once; what failed is tried again by the next call. */
  compile(kernel: KernelSource): Promise<Pipeline> {
    const key = pipelineKey(kernel);
    const known = this.pipelines.get(key);
    if (known) return known.pipeline;
    const pipeline = compilePipeline(this.device, kernel);
    this.pipelines.set(key, { kernel, pipeline });
    void pipeline.catch(() => this.pipelines.delete(key));
    return pipeline;
  }

  get kernels(): readonly KernelSource[] {
    return [...this.pipelines.values()].map(({ kernel }) => kernel);
  }

  dispose(): void {
    this.disposed = true;
    this.memory.giveBackAll();
    this.device.destroy();
  }
}
