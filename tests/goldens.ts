/** Reads the committed reference numbers of tests/reference (its README names every file and tensor). */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseSafetensorsHeader, tensorToFloat32 } from '$lib/formats';
import { openAdapterFolder, openModelFolder } from '../src/cli/model-folder';

const GOLDENS = new URL('./reference/goldens/', import.meta.url);

export const goldenPath = (relative: string) => fileURLToPath(new URL(relative, GOLDENS));

export const readJson = <T>(relative: string) =>
  JSON.parse(readFileSync(goldenPath(relative), 'utf8')) as T;

export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly floats: Float32Array;
  readonly integers: Int32Array;
  /** As stored. */
  readonly bytes: Uint8Array;
}

export function readTensors(path: string): Map<string, GoldenTensor> {
  const bytes = new Uint8Array(readFileSync(path));
  const { tensors, dataOffset } = parseSafetensorsHeader(bytes, {
    fileName: path,
    fileSizeBytes: bytes.length,
  });
  return new Map(
    tensors.map(({ name, shape, begin, end, dtype }) => {
      const data = bytes.slice(dataOffset + begin, dataOffset + end);
      const isFloat = dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
      const floats = isFloat ? tensorToFloat32(data, dtype) : new Float32Array();
      const integers = dtype === 'I32' ? new Int32Array(data.buffer) : new Int32Array();
      return [name, { shape, floats, integers, bytes: data }];
    }),
  );
}

/** The bytes of each tensor as they are stored. */
export function readBytesOf(path: string): Map<string, Uint8Array> {
  const bytes = new Uint8Array(readFileSync(path));
  const { tensors, dataOffset } = parseSafetensorsHeader(bytes, {
    fileName: path,
    fileSizeBytes: bytes.length,
  });
  return new Map(
    tensors.map(({ name, begin, end }) => [
      name,
      bytes.slice(dataOffset + begin, dataOffset + end),
    ]),
  );
}

export async function openGolden(name: string) {
  const path = goldenPath(`models/${name}`);
  const model = await openModelFolder(path);
  const adapter = await openAdapterFolder(`${path}/adapter`, model.config);
  return { ...model, adapter, forward: readTensors(`${path}/forward.safetensors`) };
}

/** ||a - b|| / ||b||, in float64. */
export function relativeL2(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length)
    throw new RangeError(`${found.length} values, ${expected.length} expected`);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (found[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
}
