/**
 * Whether WebGPU is computed by the processor here. Such an adapter trains correctly, only slowly, and
 * whoever has another way to the processor may prefer it.
 */

/** The part of GPUAdapterInfo that tells; browsers leave out what they do not want to give away. */
export type AdapterDescription = Partial<
  Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description' | 'isFallbackAdapter'>
>;

/** Chromium's, Mesa's (its OpenGL and its Vulkan driver, two generations) and Windows' own. */
const SOFTWARE_NAME = /swiftshader|llvmpipe|lavapipe|softpipe|microsoft basic render|\bwarp\b/i;

export function isSoftwareAdapter(info: AdapterDescription): boolean {
  return info.isFallbackAdapter === true || SOFTWARE_NAME.test(nameAdapter(info));
}

/** All that the adapter says of itself, for logs and for the choice of kernels; may be empty. */
export function nameAdapter({
  vendor,
  architecture,
  device,
  description,
}: AdapterDescription): string {
  return [vendor, architecture, device, description].filter(Boolean).join(' ').trim();
}
