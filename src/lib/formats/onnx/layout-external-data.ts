/** Where each tensor lies in an external data file. Knows sizes only, never bytes. */
import { describeValue } from '../describe';
import { FormatError } from '../errors';

/** ONNX asks for page-aligned offsets so that a runtime can map the file; 4 KiB is the page. */
export const EXTERNAL_DATA_ALIGNMENT = 4096;

export interface ExternalDataLayout {
  /** Tensor name to the offset of its first byte, a multiple of the alignment. */
  readonly offsets: ReadonlyMap<string, number>;
  /** Size of the file: it ends with the last tensor, unpadded. */
  readonly fileSizeBytes: number;
}

/** Lays tensors one after another in the order given; an empty one takes no room. */
export function layoutExternalData(
  tensors: Iterable<{ readonly name: string; readonly sizeBytes: number }>,
  alignment = EXTERNAL_DATA_ALIGNMENT,
): ExternalDataLayout {
  const offsets = new Map<string, number>();
  let end = 0;
  for (const { name, sizeBytes } of tensors) {
    if (offsets.has(name) || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
      throw new FormatError(
        'invalid-value',
        `tensor ${describeValue(name)} of ${sizeBytes} bytes: a name may occur once, with a size of 0 or more.`,
      );
    }
    const offset = Math.ceil(end / alignment) * alignment;
    offsets.set(name, offset);
    if (sizeBytes > 0) end = offset + sizeBytes;
  }
  return { offsets, fileSizeBytes: end };
}
