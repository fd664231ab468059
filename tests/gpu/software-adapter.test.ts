/**
 * Plan: software adapters by each of their names and by the flag alone; graphics cards, among them ones
 * whose names come near, as the control; the device carries what its adapter said.
 */
import { create, globals } from 'webgpu';
import { describe, expect, it } from 'vitest';
import { Gpu, isSoftwareAdapter } from '$lib/gpu';

Object.assign(globalThis, globals);
/** Dawn ends the process when this goes while a device lives. */
const dawn = create([]) as unknown as GPU;

describe('a software adapter', () => {
  it.each([
    { vendor: 'google', architecture: 'swiftshader' },
    { description: 'Google SwiftShader Device (Subzero)' },
    { vendor: 'mesa', architecture: 'software', device: 'llvmpipe (LLVM 15.0.6, 256 bits)' },
    { description: 'Mesa lavapipe' },
    { vendor: 'microsoft', description: 'Microsoft Basic Render Driver' },
    { vendor: '', architecture: '', device: '', description: '', isFallbackAdapter: true },
    { vendor: 'google', isFallbackAdapter: true },
  ])('is known by $vendor $architecture $device $description', (info) => {
    expect(isSoftwareAdapter(info)).toBe(true);
  });

  it.each([
    {},
    { vendor: 'apple', architecture: 'metal-3', isFallbackAdapter: false },
    { vendor: 'nvidia', architecture: 'lovelace', description: 'NVIDIA GeForce RTX 4070' },
    { vendor: 'microsoft', description: 'Microsoft Surface SQ3 Adreno 8CX Gen 3' },
    { vendor: 'intel', architecture: 'gen-12lp', description: 'Warpdrive Graphics' },
  ])('is not seen in %j', (info) => {
    expect(isSoftwareAdapter(info)).toBe(false);
  });
});

describe('a device', () => {
  /** Dawn's adapter under another name. */
  const entryNamed = (info: object): GPU => ({
    ...({} as GPU),
    requestAdapter: async () => {
      const adapter = await dawn.requestAdapter();
      return (
        adapter &&
        new Proxy(adapter, {
          get(target, name) {
            if (name === 'info') return info;
            const value: unknown = Reflect.get(target, name, target);
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          },
        })
      );
    },
  });

  it.each([
    [{ vendor: 'mesa', device: 'llvmpipe' }, true],
    [{ vendor: 'nvidia', device: 'H100' }, false],
  ] as const)('of the adapter %j: isSoftware is %j', async (info, expected) => {
    const gpu = await Gpu.request(entryNamed(info));
    expect(gpu.isSoftware).toBe(expected);
    expect(gpu.adapterName).toBe(`${info.vendor} ${info.device}`);
    gpu.dispose();
  });
});
