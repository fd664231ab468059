/**
 * Names that recipes of LLaMA-Factory, Unsloth and axolotl, and of older versions of TRL and transformers, have for
 * exactly what another name says here. That other name counts where both are given.
 */
import type { JsonObject } from './fields';

interface Alias {
  readonly name: string;
  /** The value as the setting itself has it. */
  readonly toOwn?: (value: unknown) => unknown;
}

/** A setting's own name -> its aliases, the one that counts before the others first. */
export type Aliases = ReadonlyMap<string, readonly Alias[]>;

export const NO_ALIASES: Aliases = new Map();

export const RECIPE_ALIASES: Aliases = new Map<string, readonly Alias[]>([
  ['max_length', [{ name: 'max_seq_length' }, { name: 'cutoff_len' }]],
  ['r', [{ name: 'lora_rank' }, { name: 'lora_r' }]],
  [
    'target_modules',
    [{ name: 'lora_target', toOwn: splitTargets }, { name: 'lora_target_modules' }],
  ],
  ['per_device_train_batch_size', [{ name: 'per_gpu_train_batch_size' }]],
  ['per_device_eval_batch_size', [{ name: 'per_gpu_eval_batch_size' }]],
  ['train_on_prompt', [{ name: 'train_on_inputs' }]],
]);

/** LLaMA-Factory's `all`, or names with commas between them. */
function splitTargets(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (value === '') return undefined;
  if (value === 'all') return 'all-linear';
  return value.includes(',') ? value.split(',').map((name) => name.trim()) : value;
}

const same = (value: unknown) => value;

export interface Spelling {
  /** As it stands in the file. */
  readonly name: string;
  readonly value: unknown;
}

/** All that the object says on a setting, what counts first; nothing where it is left out or null. */
export function spellingsOf(
  object: JsonObject,
  name: string,
  aliases: Aliases = RECIPE_ALIASES,
): Spelling[] {
  const all: Alias[] = [{ name }, ...(aliases.get(name) ?? [])];
  return all
    .map(({ name, toOwn = same }) => ({ name, value: toOwn(object[name]) }))
    .filter(({ value }) => value !== undefined && value !== null);
}
