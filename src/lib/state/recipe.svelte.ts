/** What the Train page fills in: PEFT's and TrainingArguments' options with the limits of each. */
import { COMMON_RECIPE, LINEAR_MODULES, type LoraConfig, type TrainingArguments } from '../config';
import { engine } from './engine.svelte';
import { ifOffered } from './engine-extras';

export interface NumberLimit {
  min: number;
  max: number;
  whole: boolean;
}

type Options = Omit<LoraConfig, 'target_modules'> & TrainingArguments;
export type NumberOption = {
  [Name in keyof Options]: Options[Name] extends number ? Name : never;
}[keyof Options];

const whole = (min: number, max: number): NumberLimit => ({ min, max, whole: true });
const real = (min: number, max: number): NumberLimit => ({ min, max, whole: false });

/** As the validators of config/ have them, with upper bounds that a page can live with. */
export const LIMITS: Readonly<Record<NumberOption, NumberLimit>> = {
  r: whole(1, 1024),
  lora_alpha: real(0.01, 4096),
  lora_dropout: real(0, 0.99),
  learning_rate: real(0, 10),
  per_device_train_batch_size: whole(1, 256),
  gradient_accumulation_steps: whole(1, 1024),
  num_train_epochs: real(0.01, 1000),
  max_steps: whole(-1, 1_000_000),
  warmup_steps: whole(0, 1_000_000),
  warmup_ratio: real(0, 1),
  weight_decay: real(0, 10),
  adam_beta1: real(0, 0.9999999),
  adam_beta2: real(0, 0.9999999),
  adam_epsilon: real(0, 1),
  max_grad_norm: real(0, 1000),
  seed: whole(0, 0xffffffff),
  logging_steps: whole(1, 100_000),
  save_steps: whole(1, 1_000_000),
  max_length: whole(2, 1 << 20),
};

export const isAllowed = (name: NumberOption, value: number | null | undefined): boolean => {
  const { min, max, whole } = LIMITS[name];
  return (
    typeof value === 'number' &&
    Number.isFinite(value) &&
    value >= min &&
    value <= max &&
    (!whole || Number.isInteger(value))
  );
};

type RecipeParts = { lora: Partial<LoraConfig>; training: Partial<TrainingArguments> };

class Recipe {
  lora = $state<LoraConfig>({ ...COMMON_RECIPE.lora });
  training = $state<TrainingArguments>({ ...COMMON_RECIPE.training });
  evalShare = $state(0.1);
  /** One a line, as typed. */
  samplePrompts = $state('');
  /** Tuned for the chosen model and sample; undefined where there is none. */
  recommended = $state.raw<RecipeParts>();
  counts = $state.raw<{ trainableParams: number; allParams: number }>();
  #asked = '';

  readonly numbers: Readonly<Record<NumberOption, number>> = $derived({
    ...this.lora,
    ...this.training,
  });
  readonly wrong = $derived(
    (Object.keys(LIMITS) as NumberOption[]).filter((name) => !isAllowed(name, this.numbers[name])),
  );
  readonly valid = $derived(this.wrong.length === 0 && this.lora.target_modules.length > 0);
  readonly usesRecommended = $derived(
    this.recommended !== undefined &&
      includes(this.lora, this.recommended.lora) &&
      includes(this.training, this.recommended.training),
  );
  readonly prompts = $derived(
    this.samplePrompts
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean)
      .slice(0, 4),
  );

  setNumber(name: NumberOption, value: number): void {
    if (name in this.lora) this.lora = { ...this.lora, [name]: value };
    else this.training = { ...this.training, [name]: value };
  }

  toggleTarget(name: (typeof LINEAR_MODULES)[number], on: boolean): void {
    const chosen = new Set(this.lora.target_modules);
    if (on) chosen.add(name);
    else chosen.delete(name);
    this.lora.target_modules = LINEAR_MODULES.filter((module) => chosen.has(module));
  }

  useCommon(): void {
    this.lora = { ...COMMON_RECIPE.lora };
    this.training = { ...COMMON_RECIPE.training };
  }

  use(parts: RecipeParts): void {
    this.lora = { ...COMMON_RECIPE.lora, ...parts.lora };
    this.training = { ...COMMON_RECIPE.training, ...parts.training };
  }

  /** Looks up what the engine recommends for this pair, once for each pair. */
  async lookUp(modelId: string, datasetId: string): Promise<RecipeParts | undefined> {
    const key = `${modelId}/${datasetId}`;
    if (key === this.#asked) return this.recommended;
    this.#asked = key;
    this.recommended = undefined;
    try {
      const found = await engine.call((api) =>
        ifOffered(api.recommendRecipe({ modelId, datasetId })),
      );
      if (this.#asked === key) this.recommended = found;
      return found;
    } catch {
      return undefined;
    }
  }

  async count(modelId: string): Promise<void> {
    if (!isAllowed('r', this.lora.r) || this.lora.target_modules.length === 0) {
      this.counts = undefined;
      return;
    }
    const lora = $state.snapshot(this.lora) as LoraConfig;
    try {
      this.counts = await engine.call((api) => ifOffered(api.countParameters({ modelId, lora })));
    } catch {
      this.counts = undefined;
    }
  }
}

/** As PEFT's `print_trainable_parameters` prints it, in every language. */
export function trainableLine(trainableParams: number, allParams: number): string {
  const n = (value: number) => value.toLocaleString('en-US');
  const share = allParams > 0 ? (100 * trainableParams) / allParams : 0;
  return `trainable params: ${n(trainableParams)} || all params: ${n(allParams)} || trainable%: ${share.toFixed(4)}`;
}

const includes = <Whole extends object>(whole: Whole, part: Partial<Whole>): boolean =>
  (Object.keys(part) as (keyof Whole)[]).every(
    (key) => JSON.stringify(whole[key]) === JSON.stringify(part[key]),
  );

export const recipe = new Recipe();
