/** A checkpoint's tensors on the GPU, each uploaded once and read by training and inference alike. */
import type { ModelConfig } from '../config';
import { findNonFinite, tensorToFloat32 } from '../formats';
import { elementCount, type DType, type Gpu, type Tensor } from '../gpu';
import type { WeightMatrix } from '../kernels/weight';
import { DecoderError } from './errors';
import { parameterShapes } from './parameters';

/** One tensor as its file stores it. */
export interface StoredTensor {
  readonly dtype: 'F32' | 'F16' | 'BF16';
  readonly shape: readonly number[];
  /** Little-endian, row-major. */
  readonly bytes: Uint8Array;
}

/** Looks a tensor up by its checkpoint name; undefined when the checkpoint has none. */
export type TensorSource = (name: string) => Promise<StoredTensor | undefined>;

/**
 * How weights lie in GPU memory. `f32` suits every adapter and both readers; `stored` keeps the
 * file's 16 bits, which only the trainer reads where the adapter has no f16 arithmetic.
 */
export type WeightStorage = 'f32' | 'stored';

export interface UploadOptions {
  storage?: WeightStorage;
  signal?: AbortSignal;
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export class ModelWeights {
  private constructor(
    private readonly gpu: Gpu,
    readonly config: ModelConfig,
    readonly tensors: ReadonlyMap<string, Tensor>,
  ) {}

  /**
   * Uploads every tensor that the config asks for, one at a time.
   * @throws DecoderError `missing-tensor`, `wrong-shape`, `not-finite`, naming the tensor
   */
  static async upload(
    gpu: Gpu,
    config: ModelConfig,
    source: TensorSource,
    { storage = 'f32', signal, onProgress }: UploadOptions = {},
  ): Promise<ModelWeights> {
    const tensors = new Map<string, Tensor>();
    const weights = new ModelWeights(gpu, config, tensors);
    const shapes = parameterShapes(config);
    const totalBytes = shapes.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
    let doneBytes = 0;
    try {
      for (const { name, shape } of shapes) {
        signal?.throwIfAborted();
        const stored = await readChecked(source, name, shape);
        const keep = storage === 'stored' && stored.dtype !== 'F32';
        const dtype: DType = keep ? (stored.dtype === 'F16' ? 'f16' : 'bf16') : 'f32';
        const floats = tensorToFloat32(stored.bytes, stored.dtype);
        refuseNonFinite(name, floats);
        const tensor = await gpu.checked(name, () =>
          gpu.createTensor(name, shape, dtype, keep ? stored.bytes : floats),
        );
        tensors.set(name, tensor);
        doneBytes += 4 * elementCount(shape);
        onProgress?.(doneBytes, totalBytes);
      }
      await gpu.idle();
      return weights;
    } catch (error) {
      weights.dispose();
      throw error;
    }
  }

  /** All tensors without their values, zeros on a real device: for counting what they take. */
  static outline(gpu: Gpu, config: ModelConfig, dtypeOf: (name: string) => DType): ModelWeights {
    const tensors = parameterShapes(config).map(
      ({ name, shape }) => [name, gpu.createTensor(name, shape, dtypeOf(name))] as const,
    );
    return new ModelWeights(gpu, config, new Map(tensors));
  }

  get(name: string): Tensor {
    const tensor = this.tensors.get(name);
    if (!tensor)
      throw new DecoderError('missing-tensor', `The model has no tensor ${name}.`, {
        details: { name },
      });
    return tensor;
  }

  matrix(name: string): WeightMatrix {
    const tensor = this.get(name);
    const [outFeatures, inFeatures] = tensor.shape;
    return { tensor, layout: 'out-in', inFeatures, outFeatures };
  }

  /** The projection to the vocabulary: the embedding itself where they are tied. */
  get head(): WeightMatrix {
    return this.matrix(
      this.config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight',
    );
  }

  get gpuBytes(): number {
    let sum = 0;
    for (const tensor of this.tensors.values()) sum += tensor.sizeBytes;
    return sum;
  }

  dispose(): void {
    for (const tensor of this.tensors.values()) this.gpu.destroyTensor(tensor);
  }
}

async function readChecked(source: TensorSource, name: string, shape: readonly number[]) {
  const stored = await source(name);
  if (!stored)
    throw new DecoderError(
      'missing-tensor',
      `The checkpoint has no tensor ${name}, which its config.json asks for. Take all files of the model as they were published.`,
      { details: { name } },
    );
  if (String(stored.shape) !== String(shape))
    throw new DecoderError(
      'wrong-shape',
      `${name} has shape [${stored.shape}], config.json asks for [${shape}]. Weights and config must be of the same model.`,
      { details: { name, found: String(stored.shape), allowed: String(shape) } },
    );
  return stored;
}

function refuseNonFinite(name: string, values: Float32Array): void {
  const index = findNonFinite(values);
  if (index >= 0)
    throw new DecoderError(
      'not-finite',
      `${name} holds ${values[index]} at element ${index}. The file is damaged: download it again.`,
      { details: { name, index } },
    );
}
