/** A checkpoint with an adapter merged in, tensor by tensor, in the type that each was stored in. */
import { loraScale } from '../config';
import { float32ToBf16, float32ToF16, tensorToFloat32 } from '../formats';
import { mergeLora, type LoadedAdapter, type LoraParameter } from '../peft';
import type { StoredTensor, TensorSource } from './weights';

export function mergedSource(base: TensorSource, adapter: LoadedAdapter): TensorSource {
  const { layout, values, config } = adapter;
  const scale = loraScale(config);
  const byPath = new Map<string, LoraParameter[]>();
  for (const parameter of layout.parameters)
    byPath.set(parameter.path, [...(byPath.get(parameter.path) ?? []), parameter]);
  const slice = ({ offset, count }: LoraParameter) => values.subarray(offset, offset + count);
  return async (name) => {
    const stored = await base(name);
    const dot = name.lastIndexOf('.');
    const parameters = byPath.get(name.slice(0, dot));
    if (!stored || !parameters) return stored;
    const find = (kind: LoraParameter['kind']) => parameters.find((p) => p.kind === kind);
    if (name.endsWith('.bias')) {
      const bias = find('bias');
      return bias ? store(slice(bias), stored) : stored;
    }
    const a = find('lora_A');
    const b = find('lora_B');
    if (!a || !b || !name.endsWith('.weight')) return stored;
    const weight = tensorToFloat32(stored.bytes, stored.dtype).slice();
    const [outFeatures, inFeatures] = stored.shape;
    mergeLora(weight, slice(a), slice(b), scale, [outFeatures, inFeatures, config.r]);
    return store(weight, stored);
  };
}

function store(values: Float32Array, { dtype, shape }: StoredTensor): StoredTensor {
  const data =
    dtype === 'F16' ? float32ToF16(values) : dtype === 'BF16' ? float32ToBf16(values) : values;
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return { dtype, shape, bytes };
}
