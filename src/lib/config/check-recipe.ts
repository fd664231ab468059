/** What a method and the arguments of its run ask of each other. */
import { ConfigError } from './errors';
import type { PeftConfig } from './peft-config';
import type { TrainingArguments } from './training-arguments';

/** @throws ConfigError `unsupported-option` */
export function checkRecipe(
  peft: PeftConfig,
  { load_in_4bit }: Pick<TrainingArguments, 'load_in_4bit'>,
): void {
  if (load_in_4bit && peft.peft_type === 'FULL')
    throw new ConfigError(
      'unsupported-option',
      'load_in_4bit is true with full fine-tuning, which would train on from rounded weights; it goes with adapters. Turn it off or choose LoRA.',
      { details: { field: 'load_in_4bit', found: 'true', allowed: 'false' } },
    );
}
