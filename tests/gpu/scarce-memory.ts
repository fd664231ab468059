/** A device that says, as WebGPU does, that there is no memory for what goes beyond a number of bytes. */
import { textureBytes } from './texture-bytes';

/**
 * Buffers and textures are made all the same, so that what is done with them afterwards is judged by the real device.
 * @returns sets another limit, counted as the first from this call on
 */
export function limitMemory(device: GPUDevice, firstBytes: number): (bytes: number) => void {
  let allowedBytes = firstBytes;
  const createBuffer = device.createBuffer.bind(device);
  const createTexture = device.createTexture.bind(device);
  const push = device.pushErrorScope.bind(device);
  const pop = device.popErrorScope.bind(device);
  const scopes: { filter: GPUErrorFilter; failed: boolean }[] = [];
  let used = 0;
  device.pushErrorScope = (filter) => {
    scopes.push({ filter, failed: false });
    push(filter);
    return undefined;
  };
  device.popErrorScope = () => {
    const scope = scopes.pop();
    const popped = pop();
    return scope?.failed ? popped.then(() => ({ message: 'no memory' }) as GPUError) : popped;
  };
  const take = <Made extends GPUBuffer | GPUTexture>(made: Made, size: number): Made => {
    used += size;
    const destroy = made.destroy.bind(made);
    made.destroy = () => {
      used -= size;
      destroy();
      return undefined;
    };
    const scope = scopes.findLast(({ filter }) => filter === 'out-of-memory');
    if (used > allowedBytes && scope) scope.failed = true;
    return made;
  };
  device.createBuffer = (descriptor) => take(createBuffer(descriptor), descriptor.size);
  device.createTexture = (descriptor) => take(createTexture(descriptor), textureBytes(descriptor));
  return (bytes) => (allowedBytes = bytes);
}

/** An entry point whose devices have no more than so many bytes. */
export function scarceEntry(entry: GPU, allowedBytes: number): GPU {
  return {
    wgslLanguageFeatures: entry.wgslLanguageFeatures,
    requestAdapter: async (options?: GPURequestAdapterOptions) => {
      const adapter = await entry.requestAdapter(options);
      if (!adapter) return null;
      const request = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (descriptor) => {
        const device = await request(descriptor);
        limitMemory(device, allowedBytes);
        return device;
      };
      return adapter;
    },
  } as unknown as GPU;
}
