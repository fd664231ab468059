/** What the decoder asks of an adapter: what is trained, and what stands beside or in place of the base's own. */
import type { Tensor } from '../gpu';

/** A trained tensor; its gradient accumulates, and is left out when the plan only evaluates. */
export interface Trained {
  readonly value: Tensor;
  readonly gradient?: Tensor;
}

/** DoRA's magnitudes of a layer, (out) each. */
export interface Magnitude extends Trained {
  /** magnitude / ||W + s B A||, made by `prepareAdapter` once for every step. */
  readonly factor: Tensor;
  /** 1 / ||W + s B A||: the norm is a constant in the gradient. */
  readonly inverseNorm: Tensor;
}

export interface LoraPair {
  /** (R, in) */
  readonly a: Tensor;
  /** (out, R) */
  readonly b: Tensor;
  readonly scale: number;
  /** Gradients accumulate here; left out when the plan only evaluates. */
  readonly dA?: Tensor;
  readonly dB?: Tensor;
  /** Where A and B started, when that was taken out of the weight: their product is subtracted. */
  readonly initial?: { readonly a: Tensor; readonly b: Tensor };
  readonly magnitude?: Magnitude;
}

/** IA3's factors on a layer's input (in) or output (out). */
export interface Scaling extends Trained {
  readonly side: 'input' | 'output';
}

export interface Adapter {
  /** Undefined when the layer has no LoRA. */
  lora(path: string): LoraPair | undefined;
  /** Undefined when the layer's bias is the base's own. */
  bias(path: string): Trained | undefined;
  scaling(path: string): Scaling | undefined;
  /** A tensor of the checkpoint that is trained whole, in place of the base's. */
  tensor(name: string): Trained | undefined;
  /** Keys and values before every sequence, (P, layers x 2 x key width). */
  readonly prefix: Trained | undefined;
  /** Dropout on the LoRA path's input, 0 to 1. */
  readonly dropout: number;
}

/** The base model alone. */
export const NO_ADAPTER: Adapter = {
  lora: () => undefined,
  bias: () => undefined,
  scaling: () => undefined,
  tensor: () => undefined,
  prefix: undefined,
  dropout: 0,
};
