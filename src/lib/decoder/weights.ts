/** A checkpoint's tensors on the GPU, each uploaded once and read by training and inference alike. */
import { type ModelConfig, linearSites } from '../config';
import { findNonFinite, tensorToFloat32 } from '../formats';
import { elementCount, type DType, type Gpu, type Tensor } from '../gpu';
import type { Nf4Matrix } from '../kernels/expand-nf4';
import type { WeightMatrix } from '../kernels/weight';
import { DecoderError } from './errors';
import { absmaxName, outlineNf4, readNf4, uploadNf4 } from './nf4-weight';
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
 * How weights lie in GPU memory. `f32` suits every adapter and both readers. `stored` keeps the file's
 * 16 bits for half the memory; our kernels read the same values, to the same bits. ONNX Runtime gains
 * nothing by them (ARCHITECTURE.md has the figures), so weights that it reads as well are `f32`. `nf4` is
 * QLoRA's base: the linear layers of the blocks in 4 bits and a magnitude for each 64 of them, 4.5 bits a
 * weight, other values than the file's; embedding, output head, norms and biases in f32, as bitsandbytes
 * leaves them out.
 */
export type WeightStorage = 'f32' | 'stored' | 'nf4';

/** How a tensor of a file lies in GPU memory where it is not in 4 bits. */
export function uploadedDtype(stored: StoredTensor['dtype'], storage: WeightStorage): DType {
  if (storage !== 'stored' || stored === 'F32') return 'f32';
  return stored === 'F16' ? 'f16' : 'bf16';
}

export interface UploadOptions {
  storage?: WeightStorage;
  signal?: AbortSignal;
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export class ModelWeights {
  private constructor(
    private readonly gpu: Gpu,
    readonly config: ModelConfig,
    /** By checkpoint name. A weight in 4 bits is its packed codes, with the magnitudes beside it. */
    readonly tensors: ReadonlyMap<string, Tensor>,
    private readonly quantised: ReadonlyMap<string, Nf4Matrix>,
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
    const quantised = new Map<string, Nf4Matrix>();
    const weights = new ModelWeights(gpu, config, tensors, quantised);
    const inFourBits = new Map(
      storage === 'nf4' ? linearSites(config).map((site) => [`${site.path}.weight`, site]) : [],
    );
    const shapes = parameterShapes(config);
    const totalBytes = shapes.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
    let doneBytes = 0;
    try {
      for (const { name, shape } of shapes) {
        signal?.throwIfAborted();
        const stored = await readChecked(source, name, shape);
        const dtype = uploadedDtype(stored.dtype, storage);
        const floats = tensorToFloat32(stored.bytes, stored.dtype);
        refuseNonFinite(name, floats);
        await gpu.checked(name, () => {
          const site = inFourBits.get(name);
          if (!site) {
            const data = dtype === 'f32' ? floats : stored.bytes;
            tensors.set(name, gpu.createTensor(name, shape, dtype, data));
            return;
          }
          const { packed, absmax } = uploadNf4(gpu, name, floats);
          tensors.set(name, packed).set(absmaxName(name), absmax);
          const { inFeatures, outFeatures } = site;
          quantised.set(name, { packed, absmax, inFeatures, outFeatures });
        });
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

  /**
   * All tensors without their values, zeros on a real device: for counting what they take.
   * @param dtypeOf how each lies in memory where the base is not in 4 bits
   */
  static outline(
    gpu: Gpu,
    config: ModelConfig,
    dtypeOf: (name: string) => DType,
    fourBit = false,
  ): ModelWeights {
    const tensors = new Map<string, Tensor>();
    const quantised = new Map<string, Nf4Matrix>();
    for (const { name, shape } of parameterShapes(config))
      tensors.set(name, gpu.createTensor(name, shape, fourBit ? 'f32' : dtypeOf(name)));
    for (const { path, inFeatures, outFeatures } of fourBit ? linearSites(config) : []) {
      const name = `${path}.weight`;
      gpu.destroyTensor(tensors.get(name)!);
      const outlined = outlineNf4(gpu, name, inFeatures * outFeatures);
      tensors.set(name, outlined.packed).set(absmaxName(name), outlined.absmax);
      quantised.set(name, { ...outlined, inFeatures, outFeatures });
    }
    return new ModelWeights(gpu, config, tensors, quantised);
  }

  get(name: string): Tensor {
    const tensor = this.tensors.get(name);
    if (!tensor)
      throw new DecoderError('missing-tensor', `The model has no tensor ${name}.`, {
        details: { name },
      });
    return tensor;
  }

  /** A weight in 4 bits, which has to be expanded before a product reads it. */
  nf4(name: string): Nf4Matrix | undefined {
    return this.quantised.get(name);
  }

  /** @throws DecoderError `missing-tensor`, `wrong-dtype` for a weight in 4 bits */
  matrix(name: string): WeightMatrix {
    const tensor = this.get(name);
    if (this.nf4(name))
      throw new DecoderError('wrong-dtype', `${name} lies in 4 bits; it must be expanded first.`, {
        details: { name },
      });
    const [outFeatures, inFeatures] = tensor.shape;
    return { tensor, layout: 'out-in', inFeatures, outFeatures };
  }

  /** The projection to the vocabulary: the embedding itself where they are tied. */
  get head(): WeightMatrix {
    return this.matrix(
      this.config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight',
    );
  }

  /** A tensor's values as f32, whatever it is stored in. */
  async readFloats(name: string): Promise<Float32Array> {
    const inFourBits = this.nf4(name);
    if (inFourBits) return readNf4(this.gpu, inFourBits);
    const tensor = this.get(name);
    const bytes = await this.gpu.readBytes(tensor);
    const count = elementCount(tensor.shape);
    if (tensor.dtype === 'f32') return new Float32Array(bytes);
    const stored = new Uint8Array(bytes, 0, 2 * count);
    return tensorToFloat32(stored, tensor.dtype === 'f16' ? 'F16' : 'BF16');
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
