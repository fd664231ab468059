/** What a choice of the form stands for in the recipe, where that is not the text of the choice. */
import type { ChoiceOption, SwitchOption } from './recipe-groups';

const VALUES: Readonly<Record<string, boolean | null>> = {
  'init_lora_weights.true': true,
  'init_lora_weights.false': false,
  'metric_for_best_model.none': null,
  'greater_is_better.auto': null,
  'greater_is_better.true': true,
  'greater_is_better.false': false,
};

export function valueOfChoice(
  name: ChoiceOption | SwitchOption,
  value: string | boolean,
): string | boolean | null {
  const choice = `${name}.${value}`;
  return Object.hasOwn(VALUES, choice) ? VALUES[choice] : value;
}
