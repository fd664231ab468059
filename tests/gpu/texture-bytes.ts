/** Bytes of a texture of ours: three sizes in an array, 16 bytes a texel. */
export function textureBytes({ size, format }: GPUTextureDescriptor): number {
  const [width, height, layers] = size as [number, number, number];
  if (format !== 'rgba32uint') throw new Error(`a texture of ${format} is not one of ours`);
  return width * height * layers * 16;
}
