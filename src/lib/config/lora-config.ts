/** LoRA's part of `adapter_config.json`, as PEFT 0.21 reads and writes it: rsLoRA, DoRA and the starts too. */
import { RECIPE_ALIASES } from './aliases';
import { Fields, type JsonObject } from './fields';
import {
  readLayerOptions,
  readTargets,
  type LayerOptions,
  type ModuleNames,
} from './layer-options';
import type { LinearModule } from './linear-modules';
import { refuseUnsupportedPeft } from './unsupported-peft';

export const LORA_BIASES = ['none', 'all', 'lora_only'] as const;
export type LoraBias = (typeof LORA_BIASES)[number];

/**
 * How A and B start. Drawn, and the base left as it is: `true` as PEFT does (A uniform, B zero), `gaussian` (A normal,
 * B zero), `orthogonal` (neither zero, their product is), `false` (both uniform: the one start that is not the base's
 * own answer). Parts of the weight: its largest singular values (`pissa`, arXiv 2404.02948; `pissa_niter_N` by N rounds
 * of subspace iteration), its QR factors (`olora`, arXiv 2406.01775).
 */
export type InitLoraWeights =
  boolean | 'gaussian' | 'orthogonal' | 'pissa' | `pissa_niter_${number}` | 'olora';

/** Those that leave the base alone; DoRA and 4-bit bases go with each. */
const DRAWN_STARTS: readonly unknown[] = [true, false, 'gaussian', 'orthogonal'];

/** Field names and defaults are PEFT's `LoraConfig`. `r` and `lora_alpha` are those of layers that no pattern names. */
export interface LoraConfig extends LayerOptions {
  peft_type: 'LORA';
  r: number;
  lora_alpha: number;
  lora_dropout: number;
  target_modules: ModuleNames;
  bias: LoraBias;
  use_rslora: boolean;
  /** Weight-decomposed LoRA: a trained magnitude for each row of the weight (arXiv 2402.09353). */
  use_dora: boolean;
  init_lora_weights: InitLoraWeights;
}

/** PEFT's own for the supported architectures. */
const LORA_TARGETS: readonly LinearModule[] = ['q_proj', 'v_proj'];

/** PEFT's own defaults; what the page offers is `COMMON_RECIPE` in training-arguments.ts. */
export const DEFAULT_LORA_CONFIG: LoraConfig & { target_modules: readonly LinearModule[] } = {
  peft_type: 'LORA',
  r: 8,
  lora_alpha: 8,
  lora_dropout: 0,
  target_modules: LORA_TARGETS,
  bias: 'none',
  use_rslora: false,
  use_dora: false,
  init_lora_weights: true,
};

/** What PiSSA and OLoRA taught is saved at twice the rank, and must be read again: they get half of it. */
const MOST_RANK = 2048;

/** Of one layer: lora_alpha / r, or lora_alpha / sqrt(r) with rank-stabilised LoRA (arXiv 2312.03732). */
export function loraScale(config: Pick<LoraConfig, 'r' | 'lora_alpha' | 'use_rslora'>): number {
  return config.lora_alpha / (config.use_rslora ? Math.sqrt(config.r) : config.r);
}

/**
 * Reads PEFT's names out of an adapter's config or a flat training config.
 * @throws ConfigError for a method, rank or module that is not supported, by name
 */
export function readLoraConfig(
  object: JsonObject,
  fileName: string,
  namesRead?: Set<string>,
): LoraConfig {
  const fields = new Fields(object, fileName, namesRead, RECIPE_ALIASES);
  refuseUnsupportedPeft(fields);
  for (const option of ['use_qalora', 'fan_in_fan_out', 'lora_bias'])
    if (fields.boolean(option, false)) throw fields.unsupported(option, true, 'false');
  const defaults = DEFAULT_LORA_CONFIG;
  const init = readInit(fields);
  const mostRank = startsFromWeights({ init_lora_weights: init }) ? MOST_RANK / 2 : MOST_RANK;
  const target_modules = readTargets(fields, 'target_modules', LORA_TARGETS);
  const config: LoraConfig = {
    peft_type: 'LORA',
    r: fields.integer('r', defaults.r, { min: 1, max: mostRank }),
    lora_alpha: fields.number('lora_alpha', defaults.lora_alpha, { min: 0, max: 1e9, open: true }),
    lora_dropout: fields.number('lora_dropout', defaults.lora_dropout, { min: 0, max: 0.99 }),
    target_modules,
    bias: fields.oneOf('bias', LORA_BIASES, defaults.bias),
    use_rslora: fields.boolean('use_rslora', defaults.use_rslora),
    use_dora: fields.boolean('use_dora', defaults.use_dora),
    init_lora_weights: init,
    ...readLayerOptions(fields, target_modules, mostRank),
  };
  if (config.use_dora && startsFromWeights(config))
    throw fields.unsupported(
      'init_lora_weights',
      config.init_lora_weights,
      'true, gaussian, orthogonal, false with use_dora',
    );
  return config;
}

/** Whether A and B start as parts of the weight, which is then trained as what is left of it. */
export const startsFromWeights = ({
  init_lora_weights,
}: Pick<LoraConfig, 'init_lora_weights'>): boolean => !DRAWN_STARTS.includes(init_lora_weights);

/** Whether a start has such a rank: orthogonal halves its columns between A and B. */
export const canStartAt = (
  { init_lora_weights }: Pick<LoraConfig, 'init_lora_weights'>,
  rank: number,
): boolean => init_lora_weights !== 'orthogonal' || rank % 2 === 0;

export const isInitLoraWeights = (value: unknown): value is InitLoraWeights =>
  DRAWN_STARTS.includes(value) ||
  (typeof value === 'string' && /^(pissa|olora|pissa_niter_[1-9]\d?)$/.test(value));

function readInit(fields: Fields): InitLoraWeights {
  const given = fields.value('init_lora_weights') ?? true;
  // Of these two PEFT takes any case.
  const isOfAnyCase = typeof given === 'string' && /^(gaussian|olora)$/i.test(given);
  const value = isOfAnyCase ? given.toLowerCase() : given;
  if (isInitLoraWeights(value)) return value;
  throw fields.unsupported(
    'init_lora_weights',
    given,
    'true, gaussian, orthogonal, false, pissa, pissa_niter_1 to 99, olora',
  );
}
