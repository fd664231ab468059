/**
 * Plan: software adapters by each of their names and by the flag alone; graphics cards, among them ones
 * whose names come near, as the control; the device carries what its adapter said.
 */
import { describe, expect, it } from 'vitest';
import { isSoftwareAdapter } from '$lib/gpu';
import { requestTestGpu } from '../dawn';

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
  it.each([
    [{ vendor: 'mesa', device: 'llvmpipe' }, true],
    [{ vendor: 'nvidia', device: 'H100' }, false],
  ] as const)('of the adapter %j: isSoftware is %j', async (info, expected) => {
    const gpu = await requestTestGpu(info);
    expect(gpu.isSoftware).toBe(expected);
    expect(gpu.adapterName).toBe(`${info.vendor} ${info.device}`);
    gpu.dispose();
  });
});
