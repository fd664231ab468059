/** A WebGPU device on Node for tests: Dawn over the driver that vitest.config.ts names. */
import { create, globals } from 'webgpu';
import { Gpu } from '$lib/gpu';

Object.assign(globalThis, globals);

/** Dawn keeps the process busy as long as this object lives, so one a test file is enough. */
let entry: GPU | undefined;

export async function requestTestGpu(): Promise<Gpu> {
  entry ??= create([]) as unknown as GPU;
  return Gpu.request(entry);
}
