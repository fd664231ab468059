/** A LoRA adapter on the GPU: one flat buffer of parameters, and, to train it, one each of gradients and moments. */
import { loraScale, type LoraConfig } from '../config';
import { tensorOver, type Gpu, type Tensor } from '../gpu';
import type { LoraLayout, LoraParameter, LoraParameterKind } from './lora-layout';

/** Adam's moments, as a checkpoint keeps them. */
export interface OptimizerMoments {
  /** First moment, flat. */
  readonly m: Float32Array;
  /** Second moment, flat. */
  readonly v: Float32Array;
}

interface TrainingTensors {
  readonly grads: Tensor;
  readonly m: Tensor;
  readonly v: Tensor;
}

export class LoraState {
  /** Flat parameters, (P). */
  readonly params: Tensor;
  /** Flat gradients and moments, (P) each; undefined for an adapter that is only used. */
  readonly training: TrainingTensors | undefined;
  readonly scale: number;
  private readonly copies = new Map<string, Tensor>();
  private readonly byPath = new Map<string, Partial<Record<LoraParameterKind, LoraParameter>>>();

  constructor(
    private readonly gpu: Gpu,
    readonly layout: LoraLayout,
    readonly config: LoraConfig,
    values: Float32Array,
    { trainable }: { trainable: boolean },
  ) {
    const flat = (label: string, data?: Float32Array) =>
      gpu.createTensor(`adapter ${label}`, [layout.flatCount], 'f32', data);
    this.params = flat('parameters', values);
    this.training = trainable
      ? { grads: flat('gradients'), m: flat('m'), v: flat('v') }
      : undefined;
    this.scale = loraScale(config);
    for (const parameter of layout.parameters) {
      const entry = this.byPath.get(parameter.path) ?? {};
      entry[parameter.kind] = parameter;
      this.byPath.set(parameter.path, entry);
    }
  }

  get dropout(): number {
    return this.config.lora_dropout;
  }

  lora(path: string) {
    const entry = this.byPath.get(path);
    if (!entry?.lora_A || !entry.lora_B) return undefined;
    return {
      a: this.view(entry.lora_A, this.params),
      b: this.view(entry.lora_B, this.params),
      scale: this.scale,
      dA: this.gradient(entry.lora_A),
      dB: this.gradient(entry.lora_B),
    };
  }

  bias(path: string) {
    const bias = this.byPath.get(path)?.bias;
    if (!bias) return undefined;
    return { value: this.view(bias, this.params), gradient: this.gradient(bias) };
  }

  /**
   * Each parameter under its PEFT key in a buffer of its own, with the values of this moment: ONNX
   * Runtime binds whole buffers. The buffers stay the same from call to call.
   */
  ownTensors(): Map<string, Tensor> {
    const pairs = this.layout.parameters.map((parameter) => {
      const { key, shape } = parameter;
      let to = this.copies.get(key);
      if (!to) {
        to = this.gpu.createTensor(`${key} (copy)`, shape);
        this.copies.set(key, to);
      }
      return { from: this.view(parameter, this.params), to };
    });
    this.gpu.copy(pairs);
    return new Map(this.copies);
  }

  async readParameters(): Promise<Float32Array> {
    return this.gpu.readFloats(this.params);
  }

  async readMoments(): Promise<OptimizerMoments> {
    if (!this.training) throw new RangeError('This adapter was not created to be trained.');
    return {
      m: await this.gpu.readFloats(this.training.m),
      v: await this.gpu.readFloats(this.training.v),
    };
  }

  writeMoments({ m, v }: OptimizerMoments): void {
    if (!this.training) throw new RangeError('This adapter was not created to be trained.');
    this.gpu.upload(this.training.m, m);
    this.gpu.upload(this.training.v, v);
  }

  dispose(): void {
    const { training } = this;
    for (const tensor of [this.params, training?.grads, training?.m, training?.v])
      if (tensor) this.gpu.destroyTensor(tensor);
    for (const tensor of this.copies.values()) this.gpu.destroyTensor(tensor);
    this.copies.clear();
  }

  private gradient(parameter: LoraParameter): Tensor | undefined {
    return this.training && this.view(parameter, this.training.grads);
  }

  private view({ key, shape, offset }: LoraParameter, flat: Tensor): Tensor {
    return tensorOver(key, shape, 'f32', flat.memory!.buffer, offset * 4);
  }
}
