/**
 * Which linear layers of a model a config means, and with what rank, alpha and scale each: PEFT 0.21's rules
 * (tuners_utils.py `check_target_module_exists`, utils/other.py `get_pattern_key`), said here and nowhere else.
 */
import {
  LINEAR_MODULES,
  loraScale,
  ModulePattern,
  newEffort,
  PatternFlaw,
  type Effort,
  type Ia3Config,
  type LoraConfig,
  type ModuleNames,
  type PeftConfig,
} from '../config';
import { PeftError } from './errors';
import type { AdaptedModel, LinearLayer } from './adapter-layout';

/** A layer that LoRA is put on. */
export interface LoraTarget {
  readonly layer: LinearLayer;
  readonly r: number;
  readonly alpha: number;
  /** Of B A: alpha / r, or alpha / sqrt(r) with rank-stabilised LoRA. */
  readonly scale: number;
}

/** A layer that IA3 is put on. */
export interface Ia3Target {
  readonly layer: LinearLayer;
  /** Whether what goes in is scaled, and not what comes out. */
  readonly inner: boolean;
}

/**
 * In the order of the forward pass. What a pattern names and this model has not changes nothing.
 * @throws PeftError `no-target`, `unsupported-target`, `costly-pattern`
 */
export function loraTargets(model: AdaptedModel, config: LoraConfig): LoraTarget[] {
  return withEffort((effort) => {
    const [ranks, alphas] = [config.rank_pattern, config.alpha_pattern].map(compileTable);
    return targetLayers(model, config, effort).map((layer) => {
      const r = ranks(layer.path, effort) ?? config.r;
      const alpha = alphas(layer.path, effort) ?? config.lora_alpha;
      const { use_rslora } = config;
      return { layer, r, alpha, scale: loraScale({ r, lora_alpha: alpha, use_rslora }) };
    });
  });
}

/** As `loraTargets`. */
export function ia3Targets(model: AdaptedModel, config: Ia3Config): Ia3Target[] {
  return withEffort((effort) => {
    const { feedforward_modules: names } = config;
    const pattern = typeof names === 'string' ? new ModulePattern(names) : undefined;
    // PEFT asks here for the end of a name wherever it begins.
    const isInner = (path: string) =>
      pattern
        ? pattern.matches(path, effort)
        : (names as readonly string[]).some((name) => path.endsWith(name));
    return targetLayers(model, config, effort).map((layer) => ({
      layer,
      inner: isInner(layer.path),
    }));
  });
}

/**
 * The same method on every block alike, with the modules that it is on anywhere and the largest rank: for models of
 * fewer layers that stand for the whole one, where it costs at least as much.
 */
export function onEveryLayer(model: AdaptedModel, config: PeftConfig): PeftConfig {
  if (config.peft_type === 'LORA') {
    const targets = loraTargets(model, config);
    const largest = targets.reduce((a, b) => (b.r > a.r ? b : a));
    const { peft_type, lora_dropout, bias, use_rslora, use_dora, init_lora_weights } = config;
    return {
      ...{ peft_type, r: largest.r, lora_alpha: largest.alpha, lora_dropout },
      target_modules: modulesOf(targets.map(({ layer }) => layer)),
      ...{ bias, use_rslora, use_dora, init_lora_weights },
    };
  }
  if (config.peft_type !== 'IA3') return config;
  const targets = ia3Targets(model, config);
  return {
    peft_type: 'IA3',
    target_modules: modulesOf(targets.map(({ layer }) => layer)),
    feedforward_modules: modulesOf(targets.filter(({ inner }) => inner).map(({ layer }) => layer)),
  };
}

export const modulesOf = (layers: readonly LinearLayer[]) =>
  LINEAR_MODULES.filter((name) => layers.some(({ module }) => module === name));

type TargetOptions = Pick<
  LoraConfig,
  'target_modules' | 'exclude_modules' | 'layers_to_transform' | 'layers_pattern'
>;

function targetLayers(model: AdaptedModel, options: TargetOptions, effort: Effort): LinearLayer[] {
  const isNamed = compileNames(options.target_modules);
  const isExcluded = compileNames(options.exclude_modules ?? []);
  const isChosen = (path: string) =>
    !isExcluded(path, effort) && isNamed(path, effort) && isInLayers(path, options);
  if (typeof options.target_modules === 'string') {
    const odd = otherModules(model).find(isChosen);
    if (odd !== undefined) throw unsupportedTarget(options.target_modules, odd);
  }
  const targets = model.layers.filter(({ path }) => isChosen(path));
  if (targets.length === 0) throw noTarget(options);
  return targets;
}

type NameTest = (name: string, effort: Effort) => boolean;

/** Whole names, or what follows one of their dots; a text is an expression of whole names. */
function compileNames(names: ModuleNames): NameTest {
  if (typeof names === 'string') {
    const pattern = new ModulePattern(names);
    return (name, effort) => pattern.matches(name, effort);
  }
  const listed = new Set(names);
  return (name) => {
    for (let at = 0; at >= 0; at = name.indexOf('.', at) + 1 || -1)
      if (listed.has(name.slice(at))) return true;
    return false;
  };
}

/** PEFT looks at the block of what the end of a name has named, not of a whole name. */
function isInLayers(path: string, options: TargetOptions): boolean {
  const { target_modules, layers_to_transform: chosen, layers_pattern } = options;
  if (chosen === undefined || target_modules.includes(path)) return true;
  const index = blockOf(path, layers_pattern);
  return index !== undefined && (typeof chosen === 'number' ? [chosen] : chosen).includes(index);
}

/** @param pattern letters, digits, _ and dots alone, so that the engine's own expressions are safe */
function blockOf(path: string, pattern: TargetOptions['layers_pattern']): number | undefined {
  const patterns = typeof pattern === 'string' ? [pattern] : (pattern ?? []);
  const found =
    patterns.length === 0
      ? /^.*?\.[^.]*\.(\d+)\./.exec(path)
      : patterns
          .map((name) => new RegExp(`^(?:|.*?\\.)${name}\\.(\\d+)\\.`).exec(path))
          .find((match) => match !== null);
  return found ? Number(found[1]) : undefined;
}

/** What stands for a name: of the first pattern that fits it. */
function compileTable(table: Readonly<Record<string, number>> | undefined) {
  const patterns = Object.entries(table ?? {}).map(
    ([pattern, value]) => [new ModulePattern(pattern), value] as const,
  );
  return (name: string, effort: Effort): number | undefined =>
    patterns.find(([pattern]) => pattern.matchesEnd(name, effort))?.[1];
}

/** Modules of transformers' models that are no linear layer of a block: what holds others, norms, embedding, head. */
function otherModules({ layers, tensors, layerCount }: AdaptedModel): string[] {
  const names = new Set(['lm_head', 'model.rotary_emb']);
  for (const { name } of tensors) {
    const parts = name.split('.').slice(0, -1);
    for (let count = 1; count <= parts.length; count++) names.add(parts.slice(0, count).join('.'));
  }
  for (let layer = 0; layer < layerCount; layer++) names.add(`model.layers.${layer}.mlp.act_fn`);
  for (const { path } of layers) names.delete(path);
  return [...names];
}

function withEffort<Result>(look: (effort: Effort) => Result): Result {
  try {
    return look(newEffort());
  } catch (error) {
    if (!(error instanceof PatternFlaw)) throw error;
    throw new PeftError(
      'costly-pattern',
      `A regular expression of target_modules, exclude_modules, rank_pattern or alpha_pattern ${error.message} on this model's names. Write it with fewer repetitions, or name the modules in a list.`,
    );
  }
}

const unsupportedTarget = (pattern: string, name: string) =>
  new PeftError(
    'unsupported-target',
    `target_modules (${shown(pattern)}) matches ${name}, which is no linear layer of a block; adapters go on ${LINEAR_MODULES.join(', ')}. Narrow it, or name ${name} in exclude_modules.`,
    { details: { name, allowed: LINEAR_MODULES.join(', ') } },
  );

function noTarget(options: TargetOptions): PeftError {
  const { target_modules, exclude_modules, layers_to_transform } = options;
  const names = typeof target_modules === 'string' ? target_modules : target_modules.join(', ');
  const less = [
    ...(exclude_modules === undefined ? [] : ['exclude_modules']),
    ...(layers_to_transform === undefined ? [] : ['layers_to_transform']),
  ];
  return new PeftError(
    'no-target',
    `target_modules (${shown(names)})${less.length > 0 ? ` less what ${less.join(' and ')} take out` : ''} names no layer of this model.`,
  );
}

const shown = (text: string) => (text.length > 120 ? `${text.slice(0, 117)}...` : text);
