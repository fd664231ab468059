/**
 * A published checkpoint, one safetensors file or shards with an index, as a source of tensors.
 * Reads ranges only, so that no file need lie in memory.
 */
import {
  FormatError,
  missingShards,
  parseSafetensorsHeader,
  parseSafetensorsIndex,
  safetensorsHeaderEnd,
  type SafetensorsTensor,
} from '../formats';
import { DecoderError } from './errors';
import type { StoredTensor, TensorSource } from './weights';

export const WEIGHTS_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';

/** Files of one folder, wherever they lie: a disk, OPFS, a list of dropped files. */
export interface FolderAccess {
  list(): Promise<readonly string[]>;
  sizeBytes(name: string): Promise<number>;
  /** Bytes [begin, end). */
  readRange(name: string, begin: number, end: number): Promise<Uint8Array>;
}

export interface OpenedCheckpoint {
  readonly source: TensorSource;
  /**
   * How a tensor is stored; undefined when the checkpoint has none.
   * @throws FormatError for a type that is not supported
   */
  readonly dtypeOf: (name: string) => StoredTensor['dtype'] | undefined;
  /** Names of all tensors, sorted. */
  readonly names: readonly string[];
  /** Bytes of all tensors as stored. */
  readonly sizeBytes: number;
}

interface Place {
  readonly file: string;
  readonly dataOffset: number;
  readonly tensor: SafetensorsTensor;
}

/** Enough for the header of most checkpoints in one read. */
const FIRST_READ = 1 << 16;

/** @throws FormatError; DecoderError `missing-tensor` when a shard or all weights are missing */
export async function openCheckpoint(folder: FolderAccess): Promise<OpenedCheckpoint> {
  const places = new Map<string, Place>();
  let sizeBytes = 0;
  for (const file of await weightFiles(folder)) {
    const { tensors, dataOffset } = await readHeader(folder, file);
    for (const tensor of tensors) {
      places.set(tensor.name, { file, dataOffset, tensor });
      sizeBytes += tensor.end - tensor.begin;
    }
  }
  const source: TensorSource = async (name) => {
    const place = places.get(name);
    if (!place) return undefined;
    const { begin, end, shape, dtype } = place.tensor;
    const { dataOffset, file } = place;
    return {
      dtype: floatType(name, dtype),
      shape,
      bytes: await folder.readRange(file, dataOffset + begin, dataOffset + end),
    };
  };
  const dtypeOf = (name: string) => {
    const place = places.get(name);
    return place && floatType(name, place.tensor.dtype);
  };
  return { source, dtypeOf, names: [...places.keys()].sort(), sizeBytes };
}

async function weightFiles(folder: FolderAccess): Promise<readonly string[]> {
  const present = await folder.list();
  if (present.includes(INDEX_FILE)) {
    const bytes = await folder.readRange(INDEX_FILE, 0, await folder.sizeBytes(INDEX_FILE));
    const index = parseSafetensorsIndex(new TextDecoder().decode(bytes), INDEX_FILE);
    const missing = missingShards(index, present);
    if (missing.length > 0)
      throw new DecoderError(
        'missing-tensor',
        `${INDEX_FILE} names ${missing.join(', ')}, which ${missing.length === 1 ? 'is' : 'are'} not in the folder. Add the missing file and try again.`,
        { details: { name: missing.join(', ') } },
      );
    return index.shards;
  }
  if (present.includes(WEIGHTS_FILE)) return [WEIGHTS_FILE];
  throw new DecoderError(
    'missing-tensor',
    `The folder has neither ${WEIGHTS_FILE} nor ${INDEX_FILE}; it holds ${present.slice(0, 8).join(', ') || 'nothing'}. Take a model with safetensors weights.`,
    { details: { name: WEIGHTS_FILE } },
  );
}

async function readHeader(folder: FolderAccess, fileName: string) {
  const fileSizeBytes = await folder.sizeBytes(fileName);
  const source = { fileName, fileSizeBytes };
  let bytes = await folder.readRange(fileName, 0, Math.min(FIRST_READ, fileSizeBytes));
  const headerEnd = safetensorsHeaderEnd(bytes, source);
  if (headerEnd > bytes.byteLength) bytes = await folder.readRange(fileName, 0, headerEnd);
  return parseSafetensorsHeader(bytes, source);
}

function floatType(name: string, dtype: string): StoredTensor['dtype'] {
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return dtype;
  throw new FormatError(
    'invalid-value',
    `${name} is stored as ${dtype}; F32, F16 and BF16 weights are supported.`,
  );
}
