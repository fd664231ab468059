/** The GPU of the command line: Dawn, through the `webgpu` package. */
import { create, globals } from 'webgpu';
import { Gpu } from '$lib/gpu';

/** Dawn's instance dies with this object, and devices with it: it must outlive them all. */
let instance: GPU | undefined;

export async function requestNodeGpu(): Promise<Gpu> {
  Object.assign(globalThis, globals);
  instance ??= create([]) as unknown as GPU;
  return Gpu.request(instance);
}
