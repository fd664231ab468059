/** A WebGPU device on Node for tests: Dawn over the driver that vitest.config.ts names. */
import { create, globals } from 'webgpu';
import { Gpu } from '$lib/gpu';

Object.assign(globalThis, globals);

/** Dawn keeps the process busy as long as this object lives, so one a test file is enough. */
let entry: GPU | undefined;

/** @param info what the adapter says of itself, where it is to pass for another */
export async function requestTestGpu(info?: Partial<GPUAdapterInfo>): Promise<Gpu> {
  entry ??= create([]) as unknown as GPU;
  return Gpu.request(info ? entryNamed(entry, info) : entry);
}

/**
 * The same adapter under the name of a graphics card, with subgroups of 16 lanes where the driver is lavapipe: all that
 * is written for cards runs, as slowly as a processor does it. For files that ask for no other device before.
 */
export async function requestTestCard(): Promise<Gpu> {
  // lavapipe with vectors of 16 numbers.
  process.env.LP_NATIVE_VECTOR_WIDTH = '512';
  return requestTestGpu({ vendor: 'nvidia', architecture: 'hopper' });
}

function entryNamed(of: GPU, { ...name }: Partial<GPUAdapterInfo>): GPU {
  return {
    ...({} as GPU),
    requestAdapter: async () => {
      const adapter = await of.requestAdapter();
      if (!adapter) return null;
      const { subgroupMinSize, subgroupMaxSize } = adapter.info;
      const info = { subgroupMinSize, subgroupMaxSize, ...name };
      return new Proxy(adapter, {
        get(target, property) {
          if (property === 'info') return info;
          const value: unknown = Reflect.get(target, property, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    },
  };
}
