/** A device that says, as WebGPU does, that there is no memory for what goes beyond a number of bytes. */

/**
 * Buffers are made all the same, so that what is done with them afterwards is judged by the real device.
 * @returns sets another limit, counted as the first from this call on
 */
export function limitMemory(device: GPUDevice, firstBytes: number): (bytes: number) => void {
  let allowedBytes = firstBytes;
  const create = device.createBuffer.bind(device);
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
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    used += descriptor.size;
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      used -= descriptor.size;
      destroy();
      return undefined;
    };
    const scope = scopes.findLast(({ filter }) => filter === 'out-of-memory');
    if (used > allowedBytes && scope) scope.failed = true;
    return buffer;
  };
  return (bytes) => (allowedBytes = bytes);
}

/** An entry point whose devices have no more than so many bytes. */
export function scarceEntry(entry: GPU, allowedBytes: number): GPU {
  return {
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
