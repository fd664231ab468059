/**
 * Which tensors a method trains on a model, under which PEFT keys, and where each lies in the flat
 * parameter buffer. Knows a model only by the names and shapes of its tensors.
 */
import {
  startsFromWeights,
  type Ia3Config,
  type LinearModule,
  type LoraConfig,
  type PeftConfig,
} from '../config';
import { PeftError } from './errors';

/** What a method needs to know of a linear layer. */
export interface LinearLayer {
  readonly path: string;
  readonly module: LinearModule;
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly hasBias: boolean;
}

/** What methods need to know of a model. */
export interface AdaptedModel {
  /** Linear layers of the decoder blocks, in the order of the forward pass. */
  readonly layers: readonly LinearLayer[];
  /** Every tensor of the checkpoint, in its order. */
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly layerCount: number;
  readonly keyHeads: number;
  /** Width of a layer's keys, and of its values: key heads x head size. */
  readonly keyValueWidth: number;
}

/** `tensor`: one of the checkpoint's own, trained whole. */
export type ParameterKind =
  'lora_A' | 'lora_B' | 'lora_magnitude_vector' | 'bias' | 'ia3_l' | 'prompt_embeddings' | 'tensor';

export interface AdapterParameter {
  /** Key in adapter_model.safetensors. */
  readonly key: string;
  /** Path of the linear layer, or name of the tensor, that it belongs to; empty for a prefix. */
  readonly path: string;
  readonly kind: ParameterKind;
  readonly shape: readonly number[];
  readonly count: number;
  /** First element in the flat buffer. */
  readonly offset: number;
}

/** A stretch of the flat buffer that one call of the optimiser moves. */
export interface ParameterGroup {
  readonly offset: number;
  readonly count: number;
  /** Weight decay, as the Trainer groups: never on biases and norms. */
  readonly decay: boolean;
  /** LoRA+ gives it `loraplus_lr_ratio` times the rate: B and one-dimensional parameters. */
  readonly fast: boolean;
}

export interface AdapterLayout {
  readonly parameters: readonly AdapterParameter[];
  readonly groups: readonly ParameterGroup[];
  /** Elements of the flat buffer, padding between parameters included. */
  readonly flatCount: number;
  /** Parameters proper, without padding. */
  readonly trainableCount: number;
}

/** Elements: a storage binding starts at a multiple of 256 bytes. */
const ALIGNMENT = 64;

const PREFIX = 'base_model.model.';

/** @throws PeftError `no-target` when no layer is a target, `rank-too-large` where PiSSA or OLoRA cannot start */
export function layoutAdapter(model: AdaptedModel, config: PeftConfig): AdapterLayout {
  const layout = new LayoutBuilder();
  switch (config.peft_type) {
    case 'LORA':
      layoutLora(layout, model, config);
      break;
    case 'IA3':
      layoutIa3(layout, model, config);
      break;
    case 'PREFIX_TUNING': {
      const width = 2 * model.layerCount * model.keyValueWidth;
      layout.add('prompt_embeddings', '', 'prompt_embeddings', [config.num_virtual_tokens, width]);
      break;
    }
    case 'FULL':
      for (const decay of [true, false])
        for (const { name, shape } of model.tensors)
          if (decays(name) === decay) layout.add(name, name, 'tensor', shape);
  }
  return layout.build();
}

/** transformers' `get_decay_parameter_names`: no weight decay on what is called a bias or a norm. */
const decays = (name: string) => !/bias|layernorm|rmsnorm|(^|\.)norm($|\.)|_norm($|\.)/.test(name);

function layoutLora(layout: LayoutBuilder, { layers }: AdaptedModel, config: LoraConfig): void {
  const isTarget = (layer: LinearLayer) => config.target_modules.includes(layer.module);
  const targets = layers.filter(isTarget);
  if (targets.length === 0) throw noTarget(config.target_modules);
  if (startsFromWeights(config)) for (const target of targets) requireRank(target, config);
  for (const { path, inFeatures } of targets)
    layout.add(adapterKey(path, 'lora_A.weight'), path, 'lora_A', [config.r, inFeatures]);
  for (const { path, outFeatures } of targets)
    layout.add(adapterKey(path, 'lora_B.weight'), path, 'lora_B', [outFeatures, config.r]);
  if (config.use_dora)
    for (const { path, outFeatures } of targets) {
      const key = adapterKey(path, 'lora_magnitude_vector');
      layout.add(key, path, 'lora_magnitude_vector', [outFeatures]);
    }
  if (config.bias === 'none') return;
  for (const layer of layers)
    if (layer.hasBias && (config.bias === 'all' || isTarget(layer)))
      layout.add(biasKey(layer.path, isTarget(layer)), layer.path, 'bias', [layer.outFeatures]);
}

/** A weight has as many singular values, and columns of Q, as its shorter side. */
function requireRank(
  { path, inFeatures, outFeatures }: LinearLayer,
  { r, init_lora_weights }: LoraConfig,
): void {
  const most = Math.min(inFeatures, outFeatures);
  if (r <= most) return;
  throw new PeftError(
    'rank-too-large',
    `${path} is ${outFeatures} by ${inFeatures}, so init_lora_weights ${init_lora_weights} takes a rank of at most ${most} there; r is ${r}. Lower r, or leave that layer out of target_modules.`,
    { details: { name: path, found: r, allowed: most } },
  );
}

function layoutIa3(layout: LayoutBuilder, { layers }: AdaptedModel, config: Ia3Config): void {
  const targets = layers.filter(({ module }) => config.target_modules.includes(module));
  if (targets.length === 0) throw noTarget(config.target_modules);
  for (const { path, module, inFeatures, outFeatures } of targets) {
    const inner = config.feedforward_modules.includes(module);
    layout.add(
      adapterKey(path, 'ia3_l'),
      path,
      'ia3_l',
      inner ? [1, inFeatures] : [outFeatures, 1],
    );
  }
}

const noTarget = (modules: readonly LinearModule[]) =>
  new PeftError(
    'no-target',
    `target_modules (${modules.join(', ')}) names no layer of this model.`,
  );

/** Places parameters one after another and gathers those that the optimiser treats alike. */
class LayoutBuilder {
  private readonly parameters: AdapterParameter[] = [];
  private readonly groups: { -readonly [Field in keyof ParameterGroup]: ParameterGroup[Field] }[] =
    [];
  private flatCount = 0;

  add(key: string, path: string, kind: ParameterKind, shape: readonly number[]): void {
    const count = shape.reduce((product, size) => product * size, 1);
    this.parameters.push({ key, path, kind, shape, count, offset: this.flatCount });
    const padded = Math.ceil(count / ALIGNMENT) * ALIGNMENT;
    const decay = kind !== 'bias' && (kind !== 'tensor' || decays(key));
    const fast = kind === 'lora_B' || shape.length === 1;
    const last = this.groups.at(-1);
    if (last?.decay === decay && last.fast === fast) last.count += padded;
    else this.groups.push({ offset: this.flatCount, count: padded, decay, fast });
    this.flatCount += padded;
  }

  build(): AdapterLayout {
    return {
      parameters: this.parameters,
      groups: this.groups,
      flatCount: this.flatCount,
      trainableCount: this.parameters.reduce((sum, { count }) => sum + count, 0),
    };
  }
}

export type AdapterPart = 'lora_A.weight' | 'lora_B.weight' | 'lora_magnitude_vector' | 'ia3_l';

/** PEFT's key of a target layer's own tensor. */
export function adapterKey(path: string, part: AdapterPart): string {
  return `${PREFIX}${path}.${part}`;
}

/** PEFT wraps a target layer, so its own bias is saved under `base_layer`. */
export function biasKey(path: string, isTarget: boolean): string {
  return `${PREFIX}${path}${isTarget ? '.base_layer' : ''}.bias`;
}
