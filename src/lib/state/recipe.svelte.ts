/** What the Train page fills in: PEFT's and TrainingArguments' options, and where they came from. */
import {
  COMMON_RECIPE,
  LINEAR_MODULES,
  type LinearModule,
  type LoraConfig,
  type TrainingArguments,
} from '../config';
import type { DatasetSummary, ModelSummary } from '../rpc/engine-api';
import { engine } from './engine.svelte';
import { isAllowed, isNullAtZero, LIMITS, shownNumbers, type NumberOption } from './recipe-limits';

export interface RecipeParts {
  lora: LoraConfig;
  training: TrainingArguments;
}

/** What was tuned for a bundled sample on the bundled model; undefined for any other pair. */
export async function findRecommended(
  model: Pick<ModelSummary, 'id' | 'origin'> | undefined,
  dataset: Pick<DatasetSummary, 'id' | 'origin'> | undefined,
): Promise<RecipeParts | undefined> {
  if (model?.origin !== 'bundled' || dataset?.origin !== 'bundled') return undefined;
  try {
    const found = await engine.call((api) =>
      api.recommendRecipe({ modelId: model.id, datasetId: dataset.id }),
    );
    return (
      found && {
        lora: { ...COMMON_RECIPE.lora, ...found.lora },
        training: { ...COMMON_RECIPE.training, ...found.training },
      }
    );
  } catch {
    // Advice is not needed: the common recipe is there.
    return undefined;
  }
}

const copy = ({ lora, training }: RecipeParts): RecipeParts => ({
  lora: { ...lora },
  training: { ...training },
});

class Recipe {
  #parts = $state.raw<RecipeParts>(copy(COMMON_RECIPE));
  /** An edited recipe is the person's own and is never replaced unasked. */
  origin = $state<'common' | 'recommended' | 'edited'>('common');
  evalShare = $state(0.1);
  /** One a line, as typed. */
  samplePrompts = $state('');
  counts = $state.raw<{ trainableParams: number; allParams: number }>();

  readonly lora = $derived(this.#parts.lora);
  readonly training = $derived(this.#parts.training);
  readonly numbers: Readonly<Record<NumberOption, number>> = $derived({
    ...this.lora,
    ...this.training,
    ...shownNumbers(this.training),
  });
  readonly valid = $derived(
    this.lora.target_modules.length > 0 &&
      (Object.keys(LIMITS) as NumberOption[]).every((name) => isAllowed(name, this.numbers[name])),
  );
  readonly prompts = $derived(
    this.samplePrompts
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean)
      .slice(0, 4),
  );

  setLora(part: Partial<LoraConfig>): void {
    this.#edit({ ...this.#parts, lora: { ...this.lora, ...part } });
  }

  setTraining(part: Partial<TrainingArguments>): void {
    this.#edit({ ...this.#parts, training: { ...this.training, ...part } });
  }

  setNumber(name: NumberOption, value: number): void {
    if (name in this.lora) this.setLora({ [name]: value });
    else if (isNullAtZero(name)) this.setTraining({ [name]: value === 0 ? null : value });
    else this.setTraining({ [name]: value });
  }

  /** Takes over what the engine suggests for a run that does not fit: `name=value, name=value`. */
  applySuggestion(suggestion: string): void {
    for (const [, name, value] of suggestion.matchAll(/(\w+)=([\d.e+-]+)/g)) {
      const option = name as NumberOption;
      if (option in LIMITS && isAllowed(option, Number(value)))
        this.setNumber(option, Number(value));
    }
  }

  toggleTarget(name: LinearModule, on: boolean): void {
    this.setLora({
      target_modules: LINEAR_MODULES.filter((module) =>
        module === name ? on : this.lora.target_modules.includes(module),
      ),
    });
  }

  useCommon(): void {
    this.#parts = copy(COMMON_RECIPE);
    this.origin = 'common';
  }

  useRecommended(parts: RecipeParts): void {
    this.#parts = copy(parts);
    this.origin = 'recommended';
  }

  /** Asks what PEFT would print. */
  async count(modelId: string): Promise<void> {
    const { lora } = this;
    if (!isAllowed('r', lora.r) || lora.target_modules.length === 0) {
      this.counts = undefined;
      return;
    }
    try {
      const counts = await engine.call((api) => api.countParameters({ modelId, peft: lora }));
      if (lora === this.lora) this.counts = counts;
    } catch {
      this.counts = undefined;
    }
  }

  #edit(parts: RecipeParts): void {
    this.#parts = parts;
    this.origin = 'edited';
  }
}

/** As PEFT's `print_trainable_parameters` prints it, in every language. */
export function trainableLine(trainableParams: number, allParams: number): string {
  const n = (value: number) => value.toLocaleString('en-US');
  const share = allParams > 0 ? (100 * trainableParams) / allParams : 0;
  return `trainable params: ${n(trainableParams)} || all params: ${n(allParams)} || trainable%: ${share.toFixed(4)}`;
}

export const recipe = new Recipe();
