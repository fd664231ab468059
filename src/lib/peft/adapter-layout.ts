/**
 * Which tensors a method trains on a model, under which PEFT keys, and where each lies in the flat
 * parameter buffer. Knows a model only by the names and shapes of its tensors.
 */
import {
  canStartAt,
  moduleList,
  startsFromWeights,
  type Ia3Config,
  type LinearModule,
  type LoraConfig,
  type PeftConfig,
} from '../config';
import { PeftError } from './errors';
import { ia3Targets, loraTargets, modulesOf, type LoraTarget } from './lora-targets';

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
  /** Path of a layer with LoRA to its rank, alpha and scale; empty for other methods. */
  readonly lora: ReadonlyMap<string, LoraTarget>;
  /** Elements of the flat buffer, padding between parameters included. */
  readonly flatCount: number;
  /** Parameters proper, without padding. */
  readonly trainableCount: number;
}

/** Elements: a storage binding starts at a multiple of 256 bytes. */
const ALIGNMENT = 64;

const PREFIX = 'base_model.model.';

/**
 * @throws PeftError `no-target` when no layer is a target, `rank-too-large` where PiSSA or OLoRA cannot start, `odd-rank`
 * where an orthogonal start cannot, and as `loraTargets`
 */
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

/**
 * PEFT writes `all-linear` out, layer by layer: a list that means every block's modules becomes the list of these.
 * @throws PeftError as `layoutAdapter`
 */
export function withShortTargets(model: AdaptedModel, config: PeftConfig): PeftConfig {
  if (config.peft_type !== 'LORA' && config.peft_type !== 'IA3') return config;
  const { target_modules: names } = config;
  if (typeof names === 'string' || moduleList(names)) return config;
  const { parameters } = layoutAdapter(model, config);
  const pathsOf = (layers: readonly AdapterParameter[]) => new Set(layers.map(({ path }) => path));
  const paths = pathsOf(parameters.filter(({ kind }) => kind === 'lora_A' || kind === 'ia3_l'));
  const targets = model.layers.filter(({ path }) => paths.has(path));
  const inner = parameters.filter(({ kind, shape }) => kind === 'ia3_l' && shape[0] === 1);
  const innerPaths = pathsOf(inner);
  const short: PeftConfig =
    config.peft_type === 'LORA'
      ? { ...config, target_modules: modulesOf(targets) }
      : {
          ...config,
          target_modules: modulesOf(targets),
          feedforward_modules: modulesOf(targets.filter(({ path }) => innerPaths.has(path))),
        };
  const isSame =
    JSON.stringify(layoutAdapter(model, short).parameters) === JSON.stringify(parameters);
  return isSame ? short : config;
}

/** transformers' `get_decay_parameter_names`: no weight decay on what is called a bias or a norm. */
const decays = (name: string) => !/bias|layernorm|rmsnorm|(^|\.)norm($|\.)|_norm($|\.)/.test(name);

function layoutLora(layout: LayoutBuilder, model: AdaptedModel, config: LoraConfig): void {
  const targets = loraTargets(model, config);
  for (const target of targets) layout.lora.set(target.layer.path, target);
  for (const target of targets) requireRank(target, config);
  for (const { layer, r } of targets) {
    const { path, inFeatures } = layer;
    layout.add(adapterKey(path, 'lora_A.weight'), path, 'lora_A', [r, inFeatures]);
  }
  for (const { layer, r } of targets) {
    const { path, outFeatures } = layer;
    layout.add(adapterKey(path, 'lora_B.weight'), path, 'lora_B', [outFeatures, r]);
  }
  if (config.use_dora)
    for (const { layer } of targets) {
      const key = adapterKey(layer.path, 'lora_magnitude_vector');
      layout.add(key, layer.path, 'lora_magnitude_vector', [layer.outFeatures]);
    }
  if (config.bias === 'none') return;
  for (const { path, hasBias, outFeatures } of model.layers) {
    const isTarget = layout.lora.has(path);
    if (hasBias && (config.bias === 'all' || isTarget))
      layout.add(biasKey(path, isTarget), path, 'bias', [outFeatures]);
  }
}

/** A weight has as many singular values, and columns of Q, as its shorter side; halves need an even rank. */
function requireRank(
  { layer: { path, inFeatures, outFeatures }, r }: LoraTarget,
  config: LoraConfig,
): void {
  const { init_lora_weights } = config;
  if (!canStartAt(config, r))
    throw new PeftError(
      'odd-rank',
      `init_lora_weights ${init_lora_weights} takes even ranks alone; the rank of ${path} is ${r}. Take ${r + 1}, or another start.`,
      { details: { name: path, found: r, allowed: r + 1 } },
    );
  if (!startsFromWeights(config)) return;
  const most = Math.min(inFeatures, outFeatures);
  if (r <= most) return;
  throw new PeftError(
    'rank-too-large',
    `${path} is ${outFeatures} by ${inFeatures}, so init_lora_weights ${init_lora_weights} takes a rank of at most ${most} there; r is ${r}. Lower r, or leave that layer out of target_modules.`,
    { details: { name: path, found: r, allowed: most } },
  );
}

function layoutIa3(layout: LayoutBuilder, model: AdaptedModel, config: Ia3Config): void {
  for (const { layer, inner } of ia3Targets(model, config)) {
    const { path, inFeatures, outFeatures } = layer;
    const shape = inner ? [1, inFeatures] : [outFeatures, 1];
    layout.add(adapterKey(path, 'ia3_l'), path, 'ia3_l', shape);
  }
}

/** Places parameters one after another and gathers those that the optimiser treats alike. */
class LayoutBuilder {
  readonly lora = new Map<string, LoraTarget>();
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
      lora: this.lora,
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
