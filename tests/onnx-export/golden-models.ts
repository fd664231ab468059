/** The reference checkpoints as this room's inputs: config, files and a source of float32 weights. */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseJsonObject, parseModelConfig } from '../../src/lib/config';
import { parseSafetensorsHeader, tensorToFloat32 } from '../../src/lib/formats';
import type { WeightSource } from '../../src/lib/onnx-export';

export const GOLDEN_MODELS = fileURLToPath(new URL('../reference/goldens/models', import.meta.url));

/** Cases whose head size ONNX Runtime's attention takes. */
export const EXPORTABLE = readdirSync(GOLDEN_MODELS).filter(
  (name) => name !== 'sharded' && !name.includes('.'),
);

export interface StoredFloats {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** All float tensors of one safetensors file. */
export function readTensors(path: string): Map<string, StoredFloats> {
  const bytes = new Uint8Array(readFileSync(path));
  const header = parseSafetensorsHeader(bytes, {
    fileName: path,
    fileSizeBytes: bytes.byteLength,
  });
  const result = new Map<string, StoredFloats>();
  for (const { name, dtype, shape, begin, end } of header.tensors) {
    if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') continue;
    const part = bytes.subarray(header.dataOffset + begin, header.dataOffset + end);
    result.set(name, { shape, values: tensorToFloat32(part, dtype) });
  }
  return result;
}

export function openGolden(name: string, folder = GOLDEN_MODELS) {
  const path = `${folder}/${name}`;
  const text = readFileSync(`${path}/config.json`, 'utf8');
  const shards = readdirSync(path).filter((file) => /^model.*\.safetensors$/.test(file));
  const tensors = new Map(shards.flatMap((file) => [...readTensors(`${path}/${file}`)]));
  const source: WeightSource = async (weight) => {
    const tensor = tensors.get(weight);
    if (!tensor) throw new Error(`${name} has no ${weight}`);
    return tensor.values;
  };
  const files = new Map(
    readdirSync(path)
      .filter((file) => /^(generation_config|tokenizer.*)\.json$/.test(file))
      .map((file) => [file, new Uint8Array(readFileSync(`${path}/${file}`))]),
  );
  return {
    path,
    config: parseModelConfig(text),
    rawConfig: parseJsonObject(text, 'config.json'),
    tensors,
    source,
    files,
  };
}
