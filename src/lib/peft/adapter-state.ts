/**
 * An adapter on the GPU: one flat buffer of parameters, and, to train it, one each of gradients and
 * moments. Hands out views of it in the terms that a decoder asks in.
 */
import type { PeftConfig } from '../config';
import { tensorOver, type Gpu, type Tensor } from '../gpu';
import type { AdapterLayout, AdapterParameter, ParameterKind } from './adapter-layout';

/** Adam's moments, as a checkpoint keeps them. */
export interface OptimizerMoments {
  /** First moment, flat. */
  readonly m: Float32Array;
  /** Second moment, flat. */
  readonly v: Float32Array;
}

interface TrainingTensors {
  readonly grads: Tensor;
  /** Undefined where the optimiser keeps its moments itself. */
  readonly m: Tensor | undefined;
  readonly v: Tensor | undefined;
}

export interface AdapterStateOptions {
  readonly trainable: boolean;
  /** Where A and B started, flat, when they were taken out of the weights: what is subtracted from the base. */
  readonly initial?: Float32Array;
  /** False where the optimiser keeps its moments itself. */
  readonly moments?: boolean;
}

export class AdapterState {
  /** Flat parameters, (P). */
  readonly params: Tensor;
  /** Flat gradients and moments, (P) each; undefined for an adapter that is only used. */
  readonly training: TrainingTensors | undefined;
  private readonly initial: Tensor | undefined;
  /** DoRA: magnitude / norm, and 1 / norm, of each row; both as long as the magnitudes. */
  private readonly rowFactors: Tensor | undefined;
  private readonly inverseNorms: Tensor | undefined;
  private readonly firstMagnitude: number;
  private readonly copies = new Map<string, Tensor>();
  private readonly byPath = new Map<string, Partial<Record<ParameterKind, AdapterParameter>>>();

  constructor(
    private readonly gpu: Gpu,
    readonly layout: AdapterLayout,
    readonly config: PeftConfig,
    values: Float32Array,
    { trainable, initial, moments = true }: AdapterStateOptions,
  ) {
    const flat = (label: string, data?: Float32Array) =>
      gpu.createTensor(`adapter ${label}`, [layout.flatCount], 'f32', data);
    this.params = flat('parameters', values);
    this.initial = initial && flat('initial', initial);
    this.training = trainable
      ? {
          grads: flat('gradients'),
          m: moments ? flat('m') : undefined,
          v: moments ? flat('v') : undefined,
        }
      : undefined;
    for (const parameter of layout.parameters) {
      const entry = this.byPath.get(parameter.path) ?? {};
      entry[parameter.kind] = parameter;
      this.byPath.set(parameter.path, entry);
    }
    const magnitudes = layout.parameters.filter(({ kind }) => kind === 'lora_magnitude_vector');
    this.firstMagnitude = magnitudes[0]?.offset ?? 0;
    const last = magnitudes.at(-1);
    if (!last) return;
    const rows = [last.offset + last.count - this.firstMagnitude];
    this.rowFactors = gpu.createTensor('adapter row factors', rows);
    this.inverseNorms = gpu.createTensor('adapter inverse norms', rows);
  }

  /** GPU memory of the parameters and of what is computed from them, without gradients and moments. */
  get parameterBytes(): number {
    return [this.params, this.initial, this.rowFactors, this.inverseNorms].reduce(
      (sum, tensor) => sum + (tensor?.sizeBytes ?? 0),
      0,
    );
  }

  get dropout(): number {
    return this.config.peft_type === 'LORA' ? this.config.lora_dropout : 0;
  }

  lora(path: string) {
    const entry = this.byPath.get(path);
    if (!entry?.lora_A || !entry.lora_B) return undefined;
    return {
      a: this.view(entry.lora_A, this.params),
      b: this.view(entry.lora_B, this.params),
      scale: this.layout.lora.get(path)!.scale,
      dA: this.gradient(entry.lora_A),
      dB: this.gradient(entry.lora_B),
      initial: this.initial && {
        a: this.view(entry.lora_A, this.initial),
        b: this.view(entry.lora_B, this.initial),
      },
      magnitude: entry.lora_magnitude_vector && this.magnitude(entry.lora_magnitude_vector),
    };
  }

  bias(path: string) {
    return this.trained(this.byPath.get(path)?.bias);
  }

  /** IA3's factors: of a layer's input or of its output. */
  scaling(path: string) {
    const parameter = this.byPath.get(path)?.ia3_l;
    const trained = this.trained(parameter);
    if (!parameter || !trained) return undefined;
    return {
      ...trained,
      side: parameter.shape[0] === 1 ? ('input' as const) : ('output' as const),
    };
  }

  /** A tensor of the checkpoint that is trained whole. */
  tensor(name: string) {
    return this.trained(this.byPath.get(name)?.tensor);
  }

  /** Prefix tuning's table, (virtual tokens, layers x 2 x key width). */
  get prefix() {
    return this.trained(this.byPath.get('')?.prompt_embeddings);
  }

  /**
   * Each parameter under its PEFT key in a buffer of its own, with the values of this moment: ONNX
   * Runtime binds whole buffers. The buffers stay the same from call to call until they are given back.
   * @param owner who is told where one finds no memory
   */
  ownTensors(owner: Gpu): Map<string, Tensor> {
    const pairs = this.layout.parameters.map((parameter) => {
      const { key, shape } = parameter;
      let to = this.copies.get(key);
      if (!to) {
        to = owner.createTensor(`${key} (copy)`, shape);
        this.copies.set(key, to);
      }
      return { from: this.view(parameter, this.params), to };
    });
    this.gpu.copy(pairs);
    return new Map(this.layout.parameters.map(({ key }) => [key, this.copies.get(key)!]));
  }

  /** DoRA's magnitude / norm of each layer by its path, in buffers of their own, as last computed. */
  ownRowFactors(owner: Gpu): Map<string, Tensor> {
    const pairs = this.layout.parameters
      .filter(({ kind }) => kind === 'lora_magnitude_vector')
      .map((parameter) => {
        const name = `${parameter.path}.rows`;
        const to = this.copies.get(name) ?? owner.createTensor(name, parameter.shape);
        this.copies.set(name, to);
        return { path: parameter.path, from: this.magnitude(parameter).factor, to };
      });
    this.gpu.copy(pairs);
    return new Map(pairs.map(({ path, to }) => [path, to]));
  }

  /** Frees what `ownTensors` and `ownRowFactors` have made; the adapter itself stays as it is. */
  giveBackCopies(): void {
    for (const tensor of this.copies.values()) this.gpu.destroyTensor(tensor);
    this.copies.clear();
  }

  async readParameters(): Promise<Float32Array> {
    return this.gpu.readFloats(this.params);
  }

  async readMoments(): Promise<OptimizerMoments> {
    const { m, v } = this.moments();
    return { m: await this.gpu.readFloats(m), v: await this.gpu.readFloats(v) };
  }

  writeMoments({ m, v }: OptimizerMoments): void {
    const tensors = this.moments();
    this.gpu.upload(tensors.m, m);
    this.gpu.upload(tensors.v, v);
  }

  dispose(): void {
    const { training, params, initial, rowFactors, inverseNorms } = this;
    const own = [params, initial, rowFactors, inverseNorms];
    for (const tensor of [...own, training?.grads, training?.m, training?.v])
      if (tensor) this.gpu.destroyTensor(tensor);
    this.giveBackCopies();
  }

  private moments(): { m: Tensor; v: Tensor } {
    const { m, v } = this.training ?? {};
    if (!m || !v) throw new RangeError('This adapter was not created with moments.');
    return { m, v };
  }

  private magnitude(parameter: AdapterParameter) {
    const at = { ...parameter, offset: parameter.offset - this.firstMagnitude };
    return {
      ...this.trained(parameter)!,
      factor: this.view(at, this.rowFactors!),
      inverseNorm: this.view(at, this.inverseNorms!),
    };
  }

  private trained(parameter: AdapterParameter | undefined) {
    if (!parameter) return undefined;
    return { value: this.view(parameter, this.params), gradient: this.gradient(parameter) };
  }

  private gradient(parameter: AdapterParameter): Tensor | undefined {
    return this.training && this.view(parameter, this.training.grads);
  }

  private view({ key, shape, offset }: AdapterParameter, flat: Tensor): Tensor {
    return tensorOver(key, shape, 'f32', flat.memory!.buffer, offset * 4);
  }
}
