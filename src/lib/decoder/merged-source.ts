/** A checkpoint with an adapter merged in, tensor by tensor, in the type that each was stored in. */
import { float32ToBf16, float32ToF16, tensorToFloat32 } from '../formats';
import {
  mergeLora,
  mergeScaling,
  PeftError,
  type AdapterParameter,
  type LoadedAdapter,
  type ParameterKind,
} from '../peft';
import type { StoredTensor, TensorSource } from './weights';

type Parts = Partial<Record<ParameterKind, AdapterParameter>>;

/** @throws PeftError `cannot-merge` for a prefix, which stands beside the weights and not in them */
export function mergedSource(base: TensorSource, adapter: LoadedAdapter): TensorSource {
  const { layout, config } = adapter;
  if (config.peft_type === 'PREFIX_TUNING')
    throw new PeftError(
      'cannot-merge',
      'A prefix cannot be merged: it stands beside the weights. Take the adapter itself, or tune with LoRA.',
    );
  const byPath = new Map<string, Parts>();
  for (const parameter of layout.parameters)
    byPath.set(parameter.path, {
      ...byPath.get(parameter.path),
      [parameter.kind]: parameter,
    });
  return async (name) => {
    const stored = await base(name);
    if (!stored) return undefined;
    const whole = byPath.get(name)?.tensor;
    if (whole) return store(sliceOf(adapter, whole), stored);
    const dot = name.lastIndexOf('.');
    const parts = byPath.get(name.slice(0, dot));
    return parts ? mergeTensor(stored, name.slice(dot + 1), parts, adapter) : stored;
  };
}

function mergeTensor(
  stored: StoredTensor,
  kind: string,
  parts: Parts,
  adapter: LoadedAdapter,
): StoredTensor {
  const values = tensorToFloat32(stored.bytes, stored.dtype).slice();
  const { lora_A, lora_B, lora_magnitude_vector: magnitude, ia3_l, bias } = parts;
  if (ia3_l) {
    const side = ia3_l.shape[0] === 1 ? 'input' : 'output';
    if (kind === 'bias' && side === 'input') return stored;
    const sizes = kind === 'bias' ? ([stored.shape[0], 1] as const) : sizesOf(stored);
    mergeScaling(values, sizes, sliceOf(adapter, ia3_l), side);
    return store(values, stored);
  }
  if (kind === 'bias') return bias ? store(sliceOf(adapter, bias), stored) : stored;
  if (!lora_A || !lora_B) return stored;
  mergeLora(values, sizesOf(stored), {
    a: sliceOf(adapter, lora_A),
    b: sliceOf(adapter, lora_B),
    scale: adapter.layout.lora.get(lora_A.path)!.scale,
    rank: lora_A.shape[0],
    magnitude: magnitude && sliceOf(adapter, magnitude),
  });
  return store(values, stored);
}

const sizesOf = ({ shape }: StoredTensor) => [shape[0], shape[1]] as const;

const sliceOf = ({ values }: LoadedAdapter, { offset, count }: AdapterParameter) =>
  values.subarray(offset, offset + count);

function store(values: Float32Array, { dtype, shape }: StoredTensor): StoredTensor {
  const data =
    dtype === 'F16' ? float32ToF16(values) : dtype === 'BF16' ? float32ToBf16(values) : values;
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return { dtype, shape, bytes };
}
