/** Which tensors a checkpoint must hold for a config: names and shapes. */
import { layerPath, linearSites, type ModelConfig } from '../config';
import type { AdaptedModel } from '../peft';

export interface ParameterShape {
  /** Name in the safetensors file, such as `model.layers.0.self_attn.q_proj.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
}

/** Every tensor of the checkpoint; a tied output head is the embedding and not listed. */
export function parameterShapes(config: ModelConfig): ParameterShape[] {
  const { vocabSize: V, hiddenSize: C, headDim: D } = config;
  const shapes: ParameterShape[] = [{ name: 'model.embed_tokens.weight', shape: [V, C] }];
  for (const site of linearSites(config)) {
    if (site.module === 'q_proj') {
      const block = layerPath(site.layer);
      shapes.push({ name: `${block}.input_layernorm.weight`, shape: [C] });
      shapes.push({ name: `${block}.post_attention_layernorm.weight`, shape: [C] });
      if (config.qkNorm) {
        shapes.push({ name: `${block}.self_attn.q_norm.weight`, shape: [D] });
        shapes.push({ name: `${block}.self_attn.k_norm.weight`, shape: [D] });
      }
    }
    shapes.push({ name: `${site.path}.weight`, shape: [site.outFeatures, site.inFeatures] });
    if (site.hasBias) shapes.push({ name: `${site.path}.bias`, shape: [site.outFeatures] });
  }
  shapes.push({ name: 'model.norm.weight', shape: [C] });
  if (!config.tieWordEmbeddings) shapes.push({ name: 'lm_head.weight', shape: [V, C] });
  return shapes;
}

/** The model as the methods of the peft room see it. */
export function adaptedModel(config: ModelConfig): AdaptedModel {
  return {
    layers: linearSites(config),
    tensors: parameterShapes(config),
    layerCount: config.layerCount,
    keyHeads: config.kvHeadCount,
    keyValueWidth: config.kvHeadCount * config.headDim,
  };
}

/** Elements of all tensors, as PEFT counts "all params" of the base. */
export function countParameters(config: ModelConfig): number {
  return parameterShapes(config).reduce(
    (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
    0,
  );
}
