/** Three recipes at one press. Each sets these options and no other, so that rate and batch stay as they are. */
import { COMMON_RECIPE, LINEAR_MODULES, type LoraConfig, type TrainingArguments } from '../config';
import { usesLora, type Method } from './methods';

export const PRESETS = ['quick', 'balanced', 'quality'] as const;
export type Preset = (typeof PRESETS)[number];

interface PresetParts {
  lora: Pick<LoraConfig, 'r' | 'lora_alpha' | 'target_modules'>;
  training: Pick<
    TrainingArguments,
    'num_train_epochs' | 'lr_scheduler_type' | 'warmup_steps' | 'warmup_ratio'
  >;
}

interface Recipe {
  method: Method;
  lora: LoraConfig;
  training: TrainingArguments;
}

const common = {
  lora: pick(COMMON_RECIPE.lora, ['r', 'lora_alpha', 'target_modules']),
  training: pick(COMMON_RECIPE.training, [
    'num_train_epochs',
    'lr_scheduler_type',
    'warmup_steps',
    'warmup_ratio',
  ]),
};

export const PRESET_PARTS: Readonly<Record<Preset, PresetParts>> = {
  quick: {
    lora: { r: 8, lora_alpha: 16, target_modules: ['q_proj', 'v_proj'] },
    training: { ...common.training, num_train_epochs: 1 },
  },
  balanced: common,
  quality: {
    lora: { r: 32, lora_alpha: 64, target_modules: LINEAR_MODULES },
    training: {
      num_train_epochs: 5,
      lr_scheduler_type: 'cosine',
      warmup_steps: 0,
      warmup_ratio: 0.03,
    },
  },
};

/** Laid over a recipe. They speak of LoRA: DoRA stays, another method gives way to LoRA. */
export function withPreset<R extends Recipe>(recipe: R, preset: Preset): R {
  const { lora, training } = PRESET_PARTS[preset];
  return {
    ...recipe,
    method: usesLora(recipe.method) ? recipe.method : 'lora',
    lora: { ...recipe.lora, ...lora },
    training: { ...recipe.training, ...training },
  };
}

/** The preset that a recipe agrees with in all that presets set. */
export const presetOf = (recipe: Recipe): Preset | undefined =>
  PRESETS.find((preset) => {
    const { lora, training } = PRESET_PARTS[preset];
    return usesLora(recipe.method) && holds(recipe.lora, lora) && holds(recipe.training, training);
  });

function holds<Whole extends object>(whole: Whole, part: Partial<Whole>): boolean {
  return (Object.keys(part) as (keyof Whole)[]).every(
    (name) => String(whole[name]) === String(part[name]),
  );
}

function pick<Whole, Name extends keyof Whole>(
  whole: Whole,
  names: readonly Name[],
): Pick<Whole, Name> {
  return Object.fromEntries(names.map((name) => [name, whole[name]])) as Pick<Whole, Name>;
}
