/** What the decoder asks of an adapter: which layers carry a LoRA pair, which biases are trained. */
import type { Tensor } from '../gpu';

export interface LoraPair {
  /** (R, in) */
  readonly a: Tensor;
  /** (out, R) */
  readonly b: Tensor;
  readonly scale: number;
  /** Gradients accumulate here; left out when the plan only evaluates. */
  readonly dA?: Tensor;
  readonly dB?: Tensor;
}

export interface TrainedBias {
  readonly value: Tensor;
  readonly gradient?: Tensor;
}

export interface Adapter {
  /** Undefined when the layer has no LoRA. */
  lora(path: string): LoraPair | undefined;
  /** Undefined when the layer's bias is the base's own. */
  bias(path: string): TrainedBias | undefined;
  /** Dropout on the LoRA path's input, 0 to 1. */
  readonly dropout: number;
}

/** The base model alone. */
export const NO_ADAPTER: Adapter = {
  lora: () => undefined,
  bias: () => undefined,
  dropout: 0,
};
