/**
 * Options of PEFT, of whatever method, that change what is computed and that Inkstone does not have: set, they
 * are refused by name; at null, empty or false, which is how PEFT writes them out, they mean nothing.
 */
import { ConfigError } from './errors';
import { describe, type Fields } from './fields';

const NEXT_STEPS: Readonly<Record<string, string>> = {
  modules_to_save: 'leave it out, or train every parameter with peft_type FULL',
  target_parameters: 'name linear layers in target_modules instead',
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

/**
 * Options on layers that a method has no choice of.
 * @throws ConfigError `unsupported-option`
 */
export function refuseLayerChoice(fields: Fields, type: string, names: readonly string[]): void {
  for (const name of names) {
    const value = fields.value(name);
    if (isSet(value))
      throw refused(fields, name, value, `leave it out, peft_type ${type} has no such option`);
  }
}

/** @throws ConfigError `unsupported-option` */
export function refuseUnsupportedPeft(fields: Fields): void {
  for (const [name, nextStep] of Object.entries(NEXT_STEPS)) {
    const value = fields.value(name);
    if (isSet(value)) throw refused(fields, name, value, nextStep);
  }
}

export function refused(fields: Fields, name: string, value: unknown, nextStep: string) {
  const { fileName } = fields;
  const field = fields.spelling(name);
  const found = describe(value);
  return new ConfigError(
    'unsupported-option',
    `${fileName}: ${field} is ${found}, which is not supported; only null is: ${nextStep}.`,
    { details: { fileName, field, found, allowed: 'null' } },
  );
}
