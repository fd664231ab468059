/** The linear layers of a decoder's blocks: where they are in the checkpoint, and their sizes. */
import { LINEAR_MODULES, type LinearModule } from './linear-modules';
import type { ModelConfig } from './model-config';

/** A linear layer of a block: what an adapter may attach to. */
export interface LinearSite {
  /** Without `.weight`, such as `model.layers.0.self_attn.q_proj`. */
  readonly path: string;
  readonly module: LinearModule;
  readonly layer: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly hasBias: boolean;
}

export const layerPath = (layer: number) => `model.layers.${layer}`;

/** One linear layer of one block. */
export function linearSite(config: ModelConfig, layer: number, module: LinearModule): LinearSite {
  const { hiddenSize: C, intermediateSize: F, headCount, kvHeadCount, headDim } = config;
  const query = headCount * headDim;
  const keyValue = kvHeadCount * headDim;
  const sites: Record<LinearModule, readonly [string, number, number, boolean]> = {
    q_proj: ['self_attn', C, query, config.qkvBias],
    k_proj: ['self_attn', C, keyValue, config.qkvBias],
    v_proj: ['self_attn', C, keyValue, config.qkvBias],
    o_proj: ['self_attn', query, C, config.outputBias],
    gate_proj: ['mlp', C, F, config.mlpBias],
    up_proj: ['mlp', C, F, config.mlpBias],
    down_proj: ['mlp', F, C, config.mlpBias],
  };
  const [block, inFeatures, outFeatures, hasBias] = sites[module];
  const path = `${layerPath(layer)}.${block}.${module}`;
  return { path, module, layer, inFeatures, outFeatures, hasBias };
}

/** All of them, in the order of the forward pass. */
export function linearSites(config: ModelConfig): LinearSite[] {
  return Array.from({ length: config.layerCount }, (_, layer) =>
    LINEAR_MODULES.map((module) => linearSite(config, layer, module)),
  ).flat();
}
