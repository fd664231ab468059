/** What the engine suggests for a run that does not fit, `name=value, name=value`, as changes of the form. Pure. */
import { COMMON_RECIPE, type LoraConfig } from '../config';
import type { ChoiceOption, SwitchOption } from './recipe-groups';
import { isAllowed, LIMITS, type NumberOption } from './recipe-limits';

export type SuggestedChange =
  | { kind: 'number'; name: NumberOption; value: number }
  | { kind: 'choice'; name: ChoiceOption | SwitchOption; value: string | true }
  | { kind: 'method'; name: 'peft_type'; value: 'LORA'; peft: LoraConfig };

/** All that a suggestion may choose or turn on. */
const CHOICES: Readonly<Record<string, SuggestedChange>> = {
  'gradient_checkpointing=true': { kind: 'choice', name: 'gradient_checkpointing', value: true },
  'load_in_4bit=true': { kind: 'choice', name: 'load_in_4bit', value: true },
  'peft_type=LORA': {
    ...{ kind: 'method', name: 'peft_type', value: 'LORA' },
    peft: COMMON_RECIPE.lora,
  },
  'optim=adamw_8bit': { kind: 'choice', name: 'optim', value: 'adamw_8bit' },
};

/** What the form has no field for, or a value that its field does not allow, is left out. */
export const readSuggestion = (suggestion: string): SuggestedChange[] =>
  suggestion.split(', ').flatMap((pair) => {
    if (Object.hasOwn(CHOICES, pair)) return [CHOICES[pair]];
    const [name, value] = pair.split('=');
    return Object.hasOwn(LIMITS, name) && isAllowed(name as NumberOption, Number(value))
      ? [{ kind: 'number', name: name as NumberOption, value: Number(value) }]
      : [];
  });
