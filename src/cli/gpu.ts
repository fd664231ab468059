/** The GPU of the command line: Dawn, through the `webgpu` package. */
import { create, globals } from 'webgpu';
import { Gpu } from '$lib/gpu';

export async function requestNodeGpu(): Promise<Gpu> {
  Object.assign(globalThis, globals);
  return Gpu.request(create([]) as unknown as GPU);
}
