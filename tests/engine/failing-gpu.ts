/** Dawn's entry point, whose devices a test can take away or leave without memory. */
import { testEntry } from '../dawn';
import { textureBytes } from '../gpu/texture-bytes';

/** What waits for an error in a scope, as the specification has it: the innermost of its filter gets it. */
interface Scope {
  readonly filter: GPUErrorFilter;
  error?: GPUError;
}

export class FailingGpu {
  /** Bytes that buffers and textures may take together from now on; lifted by Infinity. */
  memoryBytes = Infinity;
  /** What they take together now. */
  takenBytes = 0;
  /** How many of them there are now. */
  takenCount = 0;
  /** What the adapter says of itself, where it is to be another. */
  description: string | undefined;
  /** Kernels that have been compiled, as their makers label them. */
  readonly compiled: string[] = [];
  private readonly devices: GPUDevice[] = [];

  /** What the engine takes for `navigator.gpu`. */
  get entry(): GPU {
    const { wgslLanguageFeatures } = testEntry();
    return {
      wgslLanguageFeatures,
      requestAdapter: (options) => this.requestAdapter(options),
    } as GPU;
  }

  get requestedDevices(): number {
    return this.devices.length;
  }

  /** As when a driver is reset, a GPU process dies, or the tab with it. */
  loseDevice(): void {
    for (const device of this.devices) device.destroy();
  }

  private async requestAdapter(options?: GPURequestAdapterOptions): Promise<GPUAdapter | null> {
    const adapter = await testEntry().requestAdapter(options);
    if (!adapter) return null;
    const { description } = this;
    if (description !== undefined)
      Object.defineProperty(adapter, 'info', { value: { description, subgroupMinSize: 0 } });
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => this.limit(await requestDevice(descriptor));
    return adapter;
  }

  /** Gives the device's buffers a budget, and its error scopes what overdraws it. */
  private limit(device: GPUDevice): GPUDevice {
    this.devices.push(device);
    const createBuffer = device.createBuffer.bind(device);
    const createTexture = device.createTexture.bind(device);
    const pushErrorScope = device.pushErrorScope.bind(device);
    const popErrorScope = device.popErrorScope.bind(device);
    const compile = device.createComputePipelineAsync.bind(device);
    device.createComputePipelineAsync = (descriptor) => {
      this.compiled.push(descriptor.label ?? '');
      return compile(descriptor);
    };
    const scopes: Scope[] = [];
    device.pushErrorScope = (filter) => {
      scopes.push({ filter });
      pushErrorScope(filter);
    };
    device.popErrorScope = async () => {
      const scope = scopes.pop();
      const found = await popErrorScope();
      return scope?.error ?? found;
    };
    const take = <Made extends GPUBuffer | GPUTexture>(made: Made, size: number): Made => {
      if (this.takenBytes + size > this.memoryBytes) {
        // Of no use from the start, as an invalid one is.
        made.destroy();
        const scope = scopes.findLast(({ filter }) => filter === 'out-of-memory');
        if (scope) scope.error = new GPUOutOfMemoryError('none is left');
        return made;
      }
      this.takenBytes += size;
      this.takenCount++;
      const destroy = made.destroy.bind(made);
      made.destroy = () => {
        this.takenBytes -= size;
        this.takenCount--;
        made.destroy = destroy;
        destroy();
        return undefined;
      };
      return made;
    };
    device.createBuffer = (descriptor) => take(createBuffer(descriptor), descriptor.size);
    device.createTexture = (descriptor) =>
      take(createTexture(descriptor), textureBytes(descriptor));
    return device;
  }
}
