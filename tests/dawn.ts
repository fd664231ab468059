/** A WebGPU device on Node for tests: Dawn over the driver that vitest.config.ts names. */
import { create, globals } from 'webgpu';
import { Gpu } from '$lib/gpu';

Object.assign(globalThis, globals);

/** Dawn keeps the process busy as long as this object lives, and ends it where it goes first: one for a test file. */
let dawn: GPU | undefined;

const CARD = { vendor: 'nvidia', architecture: 'hopper' };

/** What `navigator.gpu` is in a browser. `INKSTONE_AS_A_CARD=1` makes it that of a card, as requestTestCard has it. */
export function testEntry(): GPU {
  if (process.env.INKSTONE_AS_A_CARD) return cardEntry();
  return (dawn ??= create([]) as unknown as GPU);
}

/** @param info what the adapter says of itself, where it is to pass for another */
export async function requestTestGpu(info?: Partial<GPUAdapterInfo>): Promise<Gpu> {
  return Gpu.request(info ? entryNamed(info) : testEntry());
}

/**
 * The same adapter under the name of a graphics card, with subgroups of 16 lanes where the driver is lavapipe: all that
 * is written for cards runs, as slowly as a processor does it. For files that ask for no other device before.
 */
export async function requestTestCard(): Promise<Gpu> {
  return Gpu.request(cardEntry());
}

function cardEntry(): GPU {
  // lavapipe with vectors of 16 numbers.
  process.env.LP_NATIVE_VECTOR_WIDTH = '512';
  return entryNamed(CARD);
}

function entryNamed(name: Partial<GPUAdapterInfo>): GPU {
  const entry = (dawn ??= create([]) as unknown as GPU);
  return {
    wgslLanguageFeatures: entry.wgslLanguageFeatures,
    requestAdapter: async (options) => {
      const adapter = await entry.requestAdapter(options);
      if (!adapter) return null;
      const { subgroupMinSize, subgroupMaxSize } = adapter.info;
      const value = { subgroupMinSize, subgroupMaxSize, ...name };
      return Object.defineProperty(adapter, 'info', { configurable: true, value });
    },
  } as GPU;
}
