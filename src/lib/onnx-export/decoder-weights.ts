/** Names and shapes of a decoder's tensors as its checkpoint has them, and of a LoRA over them. */
import { LINEAR_MODULES, linearSite, type LinearModule, type ModelConfig } from '../config';
import { NF4_BLOCK } from '../formats';

export const EMBEDDING = 'model.embed_tokens.weight';
export const FINAL_NORM = 'model.norm.weight';
export const HEAD = 'lm_head';

export interface LoraInput {
  /** PEFT's saved key. */
  readonly name: string;
  readonly module: LinearModule;
  readonly factor: 'A' | 'B';
  /** A (rank, inFeatures), B (outFeatures, rank): the side that is not the rank. */
  readonly features: number;
}

/** The scale that multiplies every LoRA product: alpha / r. Shape (1). */
export const LORA_SCALE = 'lora_scale';

export const loraKey = (path: string, factor: 'A' | 'B') =>
  `base_model.model.${path}.lora_${factor}.weight`;

/** Magnitudes of a weight in 4 bits. */
export const absmaxKey = (weight: string) => `${weight}.absmax`;

/**
 * Whether MatMulBnb4 reads this model's linear layers as QLoRA quantises them: rows must end where blocks end.
 */
export const hasWholeNf4Rows = (config: ModelConfig): boolean =>
  LINEAR_MODULES.every((module) => linearSite(config, 0, module).inFeatures % NF4_BLOCK === 0);

/** Graph input that multiplies what comes out of a layer, (out), or what goes in, (in). */
export const factorKey = (path: string, side: 'rows' | 'columns') => `${path}.${side}`;

/** Names and lengths of the factors of these modules, on one side. */
export function factorInputs(
  config: ModelConfig,
  modules: readonly LinearModule[],
  side: 'rows' | 'columns',
): { name: string; path: string; module: LinearModule; features: number }[] {
  return Array.from({ length: config.layerCount }, (_, layer) =>
    modules.map((module) => {
      const { path, inFeatures, outFeatures } = linearSite(config, layer, module);
      const features = side === 'rows' ? outFeatures : inFeatures;
      return { name: factorKey(path, side), path, module, features };
    }),
  ).flat();
}

/** What a graph emitted for these targets takes beside its weights and `lora_scale`. */
export function loraInputs(config: ModelConfig, targets: readonly LinearModule[]): LoraInput[] {
  const result: LoraInput[] = [];
  for (let layer = 0; layer < config.layerCount; layer++)
    for (const module of targets) {
      const { path, inFeatures, outFeatures } = linearSite(config, layer, module);
      result.push({ name: loraKey(path, 'A'), module, factor: 'A', features: inFeatures });
      result.push({ name: loraKey(path, 'B'), module, factor: 'B', features: outFeatures });
    }
  return result;
}
