/** The bytes of an external data file, tensor by tensor, from a source of checkpoint tensors. */
import { ropeTables, type ModelConfig } from '../config';
import { EXTERNAL_DATA_ALIGNMENT, float32ToF16 } from '../formats';
import type { DecoderPlan } from './emit-decoder';
import { ExportError } from './errors';
import { externalBytes } from './graph-builder';
import { quantizeQ4 } from './quantize-q4';
import type { Recipe } from './weight-supply';

/** A tensor of the checkpoint by its name, (out, in) as published. */
export type WeightSource = (name: string) => Promise<Float32Array>;

/**
 * Chunks that make up the file, padding included. One tensor is in memory at a time; a 4-bit one is
 * asked for twice, once for its codes and once for its scales.
 * @throws ExportError `bad-weight` where a tensor has another number of elements than config.json asks for
 */
export async function* externalData(
  config: ModelConfig,
  plan: DecoderPlan,
  source: WeightSource,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let written = 0;
  for (const tensor of plan.tensors) {
    signal?.throwIfAborted();
    const padding =
      (EXTERNAL_DATA_ALIGNMENT - (written % EXTERNAL_DATA_ALIGNMENT)) % EXTERNAL_DATA_ALIGNMENT;
    if (padding > 0) yield new Uint8Array(padding);
    const bytes = await make(tensor.recipe);
    const expected = externalBytes(tensor);
    if (bytes.byteLength !== expected)
      throw new ExportError(
        'bad-weight',
        `${tensor.name} came with ${bytes.byteLength} bytes, config.json asks for ${expected} (shape [${tensor.dims}]). Weights and config must be of the same model.`,
        { details: { name: tensor.name } },
      );
    yield bytes;
    written += padding + bytes.byteLength;
  }

  async function make(recipe: Recipe): Promise<Uint8Array<ArrayBuffer>> {
    if (recipe.from === 'rope') {
      const { [recipe.table]: table } = ropeTables(config, plan.maxPositions);
      return bytesOf(recipe.as === 'f16' ? float32ToF16(table) : table);
    }
    const values = await source(recipe.weight);
    if (!('inFeatures' in recipe))
      return bytesOf(recipe.as === 'f16' ? float32ToF16(values) : values);
    const { inFeatures } = recipe;
    const { codes, scales } = quantizeQ4(
      values,
      Math.floor(values.length / inFeatures),
      inFeatures,
    );
    return recipe.as === 'q4' ? codes : bytesOf(scales);
  }
}

function bytesOf(values: Float32Array | Uint16Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
}
