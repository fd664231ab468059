/**
 * A tensor's bytes as an image: texels of 16 bytes in a layered texture of `rgba32uint`. A processor that imitates a
 * GPU may load a texel in a fifth of the instructions that four words of a storage buffer take it. Rows are short, so
 * that what follows in the image follows in memory.
 */
import { GpuError } from './errors';
import type { GpuMemory, Tensor } from './tensor';

/** Texel i is texel i % 2 ** IMAGE_WIDTH_BITS of its row; rows are 256 bytes, the least that a copy can step by. */
export const IMAGE_WIDTH_BITS = 4;
/** Rows of a layer are 2 ** IMAGE_HEIGHT_BITS. */
export const IMAGE_HEIGHT_BITS = 12;
export const TEXEL_BYTES = 16;
export const IMAGE_FORMAT = 'rgba32uint';
export const IMAGE_DIMENSION = '2d-array';

const WIDTH = 2 ** IMAGE_WIDTH_BITS;
const HEIGHT = 2 ** IMAGE_HEIGHT_BITS;
const ROW_BYTES = WIDTH * TEXEL_BYTES;
/** What a panel may hold of each row of a matrix. Wide ones are fewer copies. */
const PANEL_BYTES = [ROW_BYTES, ROW_BYTES / 2];

/** What an image shows of a tensor, in bytes. */
export interface ImagePart {
  /** Like the size a multiple of TEXEL_BYTES. */
  readonly start: number;
  readonly sizeBytes: number;
  /**
   * Of a matrix that is shown in panels: the first `panelBytes(rowBytes)` of every row, one row after another, then the
   * next of every row. The number of rows is even. Left out, the bytes are shown as they lie.
   */
  readonly rowBytes?: number;
}

export interface ImageCopy {
  readonly source: GPUTexelCopyBufferInfo;
  readonly target: GPUTexelCopyTextureInfo;
  readonly size: GPUExtent3DStrict;
}

/** Layers of an image that holds so many bytes. */
export function imageLayers(sizeBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / (HEIGHT * ROW_BYTES)));
}

export function imageBytes(layers: number): number {
  return layers * HEIGHT * ROW_BYTES;
}

export function imageSize(layers: number): [number, number, number] {
  return [WIDTH, HEIGHT, layers];
}

/** Bytes of a row that a panel holds; undefined where no panel divides it. */
export function panelBytes(rowBytes: number): number | undefined {
  return PANEL_BYTES.find((bytes) => rowBytes % bytes === 0);
}

export function wholePart({ sizeBytes }: Tensor): ImagePart {
  return { start: 0, sizeBytes };
}

/**
 * @param most layers that the device allows
 * @throws GpuError `plan` for parts of texels or panels and for what is not the tensor's, `limit`
 */
export function checkImage(tensor: Tensor, part: ImagePart | undefined, most: number): void {
  const { start, sizeBytes, rowBytes } = part ?? wholePart(tensor);
  if (start % TEXEL_BYTES !== 0 || sizeBytes % TEXEL_BYTES !== 0)
    throw new GpuError(
      'plan',
      `${tensor.label}: an image was asked for of ${sizeBytes} bytes from ${start} on, both must be multiples of ${TEXEL_BYTES}.`,
    );
  if (rowBytes && (!panelBytes(rowBytes) || sizeBytes % (2 * rowBytes) !== 0))
    throw new GpuError(
      'plan',
      `${tensor.label}: panels were asked for of ${sizeBytes} bytes in rows of ${rowBytes}; a row must be a multiple of ${Math.min(...PANEL_BYTES)}, and the rows of an even number.`,
    );
  if (start + sizeBytes > tensor.sizeBytes)
    throw new GpuError(
      'plan',
      `${tensor.label}: an image was asked for of ${sizeBytes} bytes from ${start} on, and the tensor holds ${tensor.sizeBytes}.`,
    );
  const layers = imageLayers(sizeBytes);
  if (layers > most)
    throw new GpuError(
      'limit',
      `${tensor.label} is an image of ${layers} layers, this GPU allows ${most}.`,
    );
}

/** Texels side by side in the buffer, as many again a stride later, and so on: below each other in the image. */
interface Strip {
  /** Its first byte in the tensor. */
  readonly start: number;
  readonly strideBytes: number;
  readonly texels: number;
  readonly rows: number;
  /** Where its first texel lies in the image. */
  readonly x: number;
  readonly row: number;
}

function linearStrips({ start, sizeBytes }: ImagePart): Strip[] {
  const rows = Math.floor(sizeBytes / ROW_BYTES);
  const rest = (sizeBytes - rows * ROW_BYTES) / TEXEL_BYTES;
  const strip = (row: number, texels: number, rows: number): Strip => ({
    start: start + row * ROW_BYTES,
    strideBytes: ROW_BYTES,
    ...{ texels, rows, x: 0, row },
  });
  return [
    ...(rows > 0 ? [strip(0, WIDTH, rows)] : []),
    ...(rest > 0 ? [strip(rows, rest, 1)] : []),
  ];
}

/** A panel half as wide as the image has the even rows of the matrix at its left and the odd ones at its right. */
function panelStrips({ start, sizeBytes }: ImagePart, rowBytes: number, width: number): Strip[] {
  const abreast = ROW_BYTES / width;
  const rows = sizeBytes / rowBytes / abreast;
  return Array.from({ length: rowBytes / width }, (_, panel) =>
    Array.from({ length: abreast }, (_, side) => ({
      start: start + panel * width + side * rowBytes,
      strideBytes: abreast * rowBytes,
      texels: width / TEXEL_BYTES,
      rows,
      x: (side * width) / TEXEL_BYTES,
      row: panel * rows,
    })),
  ).flat();
}

/** What brings the part into the texture. A strip is cut where layers end, and whole layers are copied at once. */
function imageCopies(memory: GpuMemory, part: ImagePart, texture: GPUTexture): ImageCopy[] {
  const { rowBytes = 0 } = part;
  const width = panelBytes(rowBytes);
  const strips = rowBytes && width ? panelStrips(part, rowBytes, width) : linearStrips(part);
  return strips.flatMap((strip) => {
    const copies: ImageCopy[] = [];
    let row = strip.row;
    const end = strip.row + strip.rows;
    while (row < end) {
      const y = row % HEIGHT;
      const layers = y === 0 ? Math.max(1, Math.floor((end - row) / HEIGHT)) : 1;
      const height = Math.min(HEIGHT - y, end - row);
      copies.push({
        source: {
          buffer: memory.buffer,
          offset: memory.offset + strip.start + (row - strip.row) * strip.strideBytes,
          bytesPerRow: strip.strideBytes,
          rowsPerImage: HEIGHT,
        },
        target: { texture, origin: [strip.x, y, Math.floor(row / HEIGHT)] },
        size: [strip.texels, height, layers],
      });
      row += height * layers;
    }
    return copies;
  });
}

/** The images of a plan, as its dispatches come one after another: what one shows already is not copied again. */
export class PlanImages {
  private readonly shown: ({ memory: GpuMemory; part: ImagePart } | undefined)[] = [];

  constructor(private readonly textures: readonly GPUTexture[]) {}

  /** @returns the image, and the copies that it needs to show the part */
  show(index: number, memory: GpuMemory, part: ImagePart) {
    const texture = this.textures[index];
    const before = this.shown[index];
    this.shown[index] = { memory, part };
    const isShown =
      before?.memory.buffer === memory.buffer &&
      before.memory.offset + before.part.start === memory.offset + part.start &&
      before.part.sizeBytes === part.sizeBytes &&
      before.part.rowBytes === part.rowBytes;
    return { texture, copies: isShown ? [] : imageCopies(memory, part, texture) };
  }

  /** A dispatch has written there. */
  forget(buffer: GPUBuffer): void {
    this.shown.forEach((each, index) => {
      if (each?.memory.buffer === buffer) this.shown[index] = undefined;
    });
  }
}
