/** What the guide's advice makes of the form: every field that it speaks of, and no other. Pure. */
import {
  COMMON_RECIPE,
  DEFAULT_IA3_CONFIG,
  LINEAR_MODULES,
  type TrainingArguments,
} from '../config';
import { METHOD_OF, type Advice, type Answers } from './method-advice';
import type { MethodOptions } from './methods';
import { PRESET_PARTS } from './presets';
import type { RecipeParts } from './recommended-recipe';

/** An advice to train, and how much data there is to learn from. */
export interface TrainingAdvice {
  advice: Exclude<Advice, 'prompting'>;
  data: Answers['data'];
}

/** Few rows are seen more often: each epoch of them is but a few steps. */
const EPOCHS: Readonly<Record<Answers['data'], number>> = {
  little: PRESET_PARTS.quality.training.num_train_epochs,
  much: PRESET_PARTS.balanced.training.num_train_epochs,
};

/**
 * The advice laid over a form. QLoRA is LoRA on every linear layer of a base in four bits; any other advice takes
 * that back.
 * @param tuned the recipe for this very model and data, where there is one: it knows better than three answers
 */
export function withAdvice<Form extends MethodOptions & { training: TrainingArguments }>(
  form: Form,
  { advice, data }: TrainingAdvice,
  tuned?: RecipeParts,
): Form {
  const method = METHOD_OF[advice];
  const target_modules =
    advice === 'qlora' ? LINEAR_MODULES : (tuned ?? COMMON_RECIPE).lora.target_modules;
  return {
    ...form,
    method,
    lora: method === 'lora' ? { ...form.lora, target_modules } : form.lora,
    ia3: method === 'ia3' ? DEFAULT_IA3_CONFIG : form.ia3,
    training: {
      ...form.training,
      num_train_epochs: tuned?.training.num_train_epochs ?? EPOCHS[data],
      load_in_4bit: advice === 'qlora',
    },
  };
}
