/** Streams a source of tensors out as one `model.safetensors`. */
import type { ModelConfig } from '../config';
import { streamSafetensors } from '../formats';
import { DecoderError } from './errors';
import { parameterShapes } from './parameters';
import type { TensorSource } from './weights';

/** @throws DecoderError `missing-tensor` */
export async function* writeCheckpointWeights(
  config: ModelConfig,
  source: TensorSource,
): AsyncGenerator<Uint8Array, void, undefined> {
  const tensors = [];
  for (const { name } of parameterShapes(config)) {
    const stored = await source(name);
    if (!stored)
      throw new DecoderError('missing-tensor', `The checkpoint has no tensor ${name}.`, {
        details: { name },
      });
    const { dtype, shape } = stored;
    const read = async () => (await source(name))!.bytes;
    tensors.push({ name, dtype, shape, read });
  }
  yield* streamSafetensors(tensors, { format: 'pt' });
}
