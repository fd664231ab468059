/**
 * Options of PEFT, of whatever method, that change what is computed and that Inkstone does not have: set, they
 * are refused by name; at null, empty or false, which is how PEFT writes them out, they mean nothing.
 */
import { ConfigError } from './errors';
import { describe, type Fields } from './fields';

const NEXT_STEPS: Readonly<Record<string, string>> = {
  modules_to_save: 'leave it out, or train every parameter with peft_type FULL',
  layers_to_transform: 'leave it out, which tunes every layer',
  layers_pattern: 'leave it out, which tunes every layer',
  target_parameters: 'name linear layers in target_modules instead',
  exclude_modules: 'name in target_modules only the layers to be tuned',
  layer_replication: 'replicate the layers in the model itself, before it is tuned',
  trainable_token_indices: 'leave it out, or train every parameter with peft_type FULL',
  alora_invocation_tokens: 'leave it out, which tunes the answer to every token',
  arrow_config: 'leave it out',
  kasa_config: 'leave it out',
  monteclora_config: 'leave it out',
  use_bdlora: 'leave it out',
};

/** Neither null nor false nor empty. */
export function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

/** @throws ConfigError `unsupported-option` */
export function refuseUnsupportedPeft(fields: Fields): void {
  for (const [name, nextStep] of Object.entries(NEXT_STEPS)) {
    const value = fields.value(name);
    if (!isSet(value) || (name === 'exclude_modules' && excludesNothing(value))) continue;
    const found = describe(value);
    throw new ConfigError(
      'unsupported-option',
      `${fields.fileName}: ${name} is ${found}, which is not supported; only null is: ${nextStep}.`,
      { details: { fileName: fields.fileName, field: name, found, allowed: 'null' } },
    );
  }
}

/**
 * PEFT compares a list with whole names, or with their ends from a dot on, and a text, as a pattern, with whole
 * paths: what names no projection, such as `lm_head`, keeps nothing of a block out.
 */
function excludesNothing(value: unknown): boolean {
  const names: unknown[] = Array.isArray(value) ? value : [value];
  return names.every(
    (name) =>
      typeof name === 'string' &&
      !/(^|\.)\w+_proj$/.test(name) &&
      (Array.isArray(value) || /^\w+$/.test(name)),
  );
}
