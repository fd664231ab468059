/**
 * A tensor's bytes as an image: texels of 16 bytes, row after row, in a texture of `rgba32uint`. A processor that
 * imitates a GPU may load a texel in a fifth of the instructions that four words of a storage buffer take it.
 */
import type { GpuMemory, Tensor } from './tensor';

/** Texels of a row are 2 ** IMAGE_WIDTH_BITS; texel i lies in row i >> IMAGE_WIDTH_BITS. */
export const IMAGE_WIDTH_BITS = 12;
export const TEXEL_BYTES = 16;
export const IMAGE_FORMAT = 'rgba32uint';

const IMAGE_WIDTH = 2 ** IMAGE_WIDTH_BITS;
const ROW_BYTES = IMAGE_WIDTH * TEXEL_BYTES;

/** Part of a tensor, in bytes: both are multiples of TEXEL_BYTES. */
export interface ByteRange {
  readonly start: number;
  readonly sizeBytes: number;
}

export interface ImageCopy {
  readonly source: GPUTexelCopyBufferInfo;
  readonly target: GPUTexelCopyTextureInfo;
  readonly size: GPUExtent3DStrict;
}

/** Rows of an image that holds so many bytes. */
export function imageHeight(sizeBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / ROW_BYTES));
}

export function imageBytes(height: number): number {
  return height * ROW_BYTES;
}

export function wholeRange({ sizeBytes }: Tensor): ByteRange {
  return { start: 0, sizeBytes };
}

/** What brings the range into the texture: its full rows at once, then what is left. */
function imageCopies(
  { buffer, offset }: GpuMemory,
  { start, sizeBytes }: ByteRange,
  texture: GPUTexture,
): ImageCopy[] {
  const copy = (row: number, width: number, height: number): ImageCopy => ({
    source: { buffer, offset: offset + start + row * ROW_BYTES, bytesPerRow: ROW_BYTES },
    target: { texture, origin: { x: 0, y: row } },
    size: { width, height },
  });
  const rows = Math.floor(sizeBytes / ROW_BYTES);
  const rest = (sizeBytes - rows * ROW_BYTES) / TEXEL_BYTES;
  return [
    ...(rows > 0 ? [copy(0, IMAGE_WIDTH, rows)] : []),
    ...(rest > 0 ? [copy(rows, rest, 1)] : []),
  ];
}

/** The images of a plan, as its dispatches come one after another: what one shows already is not copied again. */
export class PlanImages {
  private readonly shown: ({ memory: GpuMemory; range: ByteRange } | undefined)[] = [];

  constructor(private readonly textures: readonly GPUTexture[]) {}

  /** @returns the image, and the copies that it needs to show the range */
  show(index: number, memory: GpuMemory, range: ByteRange) {
    const texture = this.textures[index];
    const before = this.shown[index];
    this.shown[index] = { memory, range };
    const isShown =
      before?.memory.buffer === memory.buffer &&
      before.memory.offset + before.range.start === memory.offset + range.start &&
      before.range.sizeBytes === range.sizeBytes;
    return { texture, copies: isShown ? [] : imageCopies(memory, range, texture) };
  }

  /** A dispatch has written there. */
  forget(buffer: GPUBuffer): void {
    this.shown.forEach((each, index) => {
      if (each?.memory.buffer === buffer) this.shown[index] = undefined;
    });
  }
}
