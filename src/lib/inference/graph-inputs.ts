/** Our tensors as ONNX Runtime's, without a copy; u32 ones are packed bytes. */
import { elementCount, type Tensor } from '../gpu';
import type { HostTensor } from './adapter-inputs';
import { InferenceError } from './errors';
import type { Ort, OrtTensor } from './runtime';

/** @throws InferenceError `bad-weights` for a tensor that the runtime cannot read where it lies */
export function ortTensor(ort: Ort, name: string, tensor: Tensor | HostTensor): OrtTensor {
  if ('data' in tensor) return new ort.Tensor('float32', tensor.data, tensor.shape);
  const { memory, dtype, shape } = tensor;
  if (memory?.offset === 0 && dtype === 'u32')
    return ort.Tensor.fromGpuBuffer(memory.buffer, {
      dataType: 'uint8',
      dims: [4 * elementCount(shape)],
    });
  if (!memory || memory.offset !== 0 || dtype !== 'f32')
    throw new InferenceError(
      'bad-weights',
      `${name} is ${dtype}${memory ? ` at byte ${memory.offset} of its buffer` : ' without memory'}; the runtime reads f32 tensors, and packed bytes in u32, that own their buffer.`,
      { details: { name, dtype } },
    );
  return ort.Tensor.fromGpuBuffer(memory.buffer, { dataType: 'float32', dims: [...shape] });
}
