/** Whether a product's operands can be read as images, and the texts that do it. Knows layouts, not kernels. */
import {
  BYTES_PER_ELEMENT,
  IMAGE_HEIGHT_BITS,
  IMAGE_WIDTH_BITS,
  TEXEL_BYTES,
  imageLayers,
  panelBytes,
} from '../gpu';
import IMAGE_16_BITS from './matmul-image-16-bits.wgsl?raw';
import IMAGE_F32 from './matmul-image-f32.wgsl?raw';
import LEFT_ALONG_K from './matmul-image-left-along-k.wgsl?raw';
import LEFT_ALONG_ROWS from './matmul-image-left-along-rows.wgsl?raw';
import RIGHT_ALONG_COLUMNS from './matmul-image-right-along-columns.wgsl?raw';
import RIGHT_ALONG_K from './matmul-image-right-along-k.wgsl?raw';
import TEXELS from './matmul-image-texels.wgsl?raw';
import type { Loads, Product, Strides } from './matmul-loads';
import type { WeightDType } from './weight';

/** Multiply-adds below which the copies into images cost more than they save. */
const SMALLEST = 2 ** 20;
/** Rows or columns up to which a right matrix along its columns is faster where it is: it is used once. */
const THIN = 16;
/** Bytes of the rows of `a` that a band of tiles takes: a processor keeps them at hand for all columns of `b`. */
const BAND_BYTES = 2 ** 19;
/** Steps of k below which panels save nothing: what a tile reads of a side stays at hand however it lies. */
const SHORTEST_IN_PANELS = 512;
/** Steps of k a turn of matmul-image.wgsl. */
const TURN = 8;
const TEXEL_OF_A = TEXEL_BYTES / BYTES_PER_ELEMENT.f32;

const LEFT = { k: LEFT_ALONG_K, rows: LEFT_ALONG_ROWS };
const RIGHT = { k: RIGHT_ALONG_K, columns: RIGHT_ALONG_COLUMNS };

/** How an operand lies in its image. */
export interface ImageLayout {
  /**
   * Elements. Of a side across k in panels: along k the width of a panel, along the other side the distance from a panel
   * to the next; 0 where there is one.
   */
  readonly strides: Strides;
  /** Of a matrix in panels, see ImagePart. */
  readonly rowBytes?: number;
}

export interface ImageLoads extends Loads {
  readonly left: ImageLayout;
  readonly right: ImageLayout;
}

/**
 * The texts before matmul-image.wgsl; undefined where copies would not pay, a texel would not hold elements that are
 * used together, or an operand has more layers than an image may.
 * @param aOffset first element of `a` that takes part
 */
export function matmulImages(
  { M, N, K, a, b }: Product,
  aOffset: number,
  bType: WeightDType,
  mostLayers: number,
): ImageLoads | undefined {
  const bytes = BYTES_PER_ELEMENT[bType];
  const fit = [M * K * BYTES_PER_ELEMENT.f32, K * N * bytes].every(
    (size) => imageLayers(size) <= mostLayers,
  );
  if (M * N * K < SMALLEST || !fit || K % TURN !== 0 || aOffset % TEXEL_OF_A !== 0)
    return undefined;
  const left = a.column === 1 ? 'k' : a.column % TEXEL_OF_A === 0 ? 'rows' : undefined;
  const right = b.row === 1 ? 'k' : b.row % (TEXEL_BYTES / bytes) === 0 ? 'columns' : undefined;
  if (!left || !right) return undefined;
  if (right === 'columns' && Math.min(M, N) <= THIN) return undefined;
  const leftRows = left === 'rows' ? acrossK(K, a.column, BYTES_PER_ELEMENT.f32) : undefined;
  const rightRows = right === 'columns' ? acrossK(K, b.row, bytes) : undefined;
  return {
    name: `${left}-${right}`,
    wgsl: [
      `const IMAGE_WIDTH_BITS = ${IMAGE_WIDTH_BITS}u;\n`,
      `const IMAGE_HEIGHT_BITS = ${IMAGE_HEIGHT_BITS}u;\n`,
      TEXELS,
      bType === 'f32' ? IMAGE_F32 : IMAGE_16_BITS,
      LEFT[left],
      RIGHT[right],
    ].join(''),
    left: leftRows
      ? { strides: { row: leftRows.panel, column: leftRows.step }, rowBytes: leftRows.rowBytes }
      : { strides: a },
    right: rightRows
      ? { strides: { row: rightRows.step, column: rightRows.panel }, rowBytes: rightRows.rowBytes }
      : { strides: b },
  };
}

/**
 * An operand whose rows of so many elements are its steps of k: in panels, so that what a tile reads of it lies on few
 * pages, else as it is, which is one panel.
 */
function acrossK(K: number, rowElements: number, elementBytes: number) {
  const rowBytes = rowElements * elementBytes;
  const width = K >= SHORTEST_IN_PANELS ? panelBytes(rowBytes) : undefined;
  if (!width) return { rowBytes: undefined, step: rowElements, panel: 0 };
  const step = width / elementBytes;
  return { rowBytes, step, panel: step * K };
}

/** Tiles of rows that go along all columns before the next do: as many in each band. */
export function bandTiles(K: number, tileRows: number, tiles: number): number {
  const most = Math.max(1, Math.floor(BAND_BYTES / (tileRows * K * BYTES_PER_ELEMENT.f32)));
  return Math.ceil(tiles / Math.ceil(tiles / most));
}
