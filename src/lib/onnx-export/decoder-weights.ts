/** Names and shapes of a decoder's tensors as its checkpoint has them, and of a LoRA over them. */
import {
  LINEAR_MODULES,
  linearSite,
  linearSites,
  type LinearModule,
  type ModelConfig,
} from '../config';
import { NF4_BLOCK } from '../formats';

export const EMBEDDING = 'model.embed_tokens.weight';
export const FINAL_NORM = 'model.norm.weight';
export const HEAD = 'lm_head';

/** Paths of linear layers, such as `model.layers.0.self_attn.q_proj`. */
export type LayerPaths = ReadonlySet<string>;

/** Those of these modules in every block. */
export const pathsOfModules = (
  config: ModelConfig,
  modules: readonly LinearModule[] = LINEAR_MODULES,
): LayerPaths =>
  new Set(
    linearSites(config)
      .filter(({ module }) => modules.includes(module))
      .map(({ path }) => path),
  );

export interface LoraInput {
  /** PEFT's saved key. */
  readonly name: string;
  readonly factor: 'A' | 'B';
  /** A (rank, inFeatures), B (outFeatures, rank): the side that is not the rank, which is each layer's own. */
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

/** Names and lengths of the factors of these layers, on one side. */
export function factorInputs(
  config: ModelConfig,
  paths: LayerPaths,
  side: 'rows' | 'columns',
): { name: string; path: string; features: number }[] {
  return sitesOf(config, paths).map(({ path, inFeatures, outFeatures }) => ({
    name: factorKey(path, side),
    path,
    features: side === 'rows' ? outFeatures : inFeatures,
  }));
}

/** What a graph emitted for these targets takes beside its weights and `lora_scale`. */
export const loraInputs = (config: ModelConfig, targets: LayerPaths): LoraInput[] =>
  sitesOf(config, targets).flatMap(({ path, inFeatures, outFeatures }) => [
    { name: loraKey(path, 'A'), factor: 'A', features: inFeatures },
    { name: loraKey(path, 'B'), factor: 'B', features: outFeatures },
  ]);

const sitesOf = (config: ModelConfig, paths: LayerPaths) =>
  linearSites(config).filter(({ path }) => paths.has(path));
