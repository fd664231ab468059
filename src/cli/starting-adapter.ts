/**
 * Where a further round begins, as on the page: an adapter's values and the options that it was made with. An option
 * of the config that contradicts them is refused: it would change what the adapter computes, or, where it asks for
 * PiSSA's or OLoRA's start, take the adapter out of the base as if it were that start.
 */
import {
  readRecipe,
  spellingsOf,
  startsFromWeights,
  type JsonObject,
  type PeftConfig,
  type RecipeFile,
} from '$lib/config';
import { describe } from '$lib/config/fields';
import { CliError } from './errors';

/** It says how a round trains, not what the adapter is. */
const FREE = 'lora_dropout';

/**
 * The recipe of a round that begins from an adapter: its own options, whatever the config leaves out.
 * @param object the config, as it was written
 * @param made the adapter's options
 * @throws CliError `usage` naming every option that contradicts them; ConfigError
 */
export function readRoundRecipe(
  object: JsonObject,
  fileName: string,
  made: PeftConfig,
  adapterFolder: string,
): RecipeFile {
  const isGiven = (name: string) => spellingsOf(object, name).length > 0;
  const type = spellingsOf(object, 'peft_type')[0]?.value ?? made.peft_type;
  const recipe = readRecipe({ ...object, peft_type: type }, fileName);
  const [own, given]: JsonObject[] = [{ ...made }, { ...recipe.peft }];
  // A start that is drawn counts for nothing where A and B are given; one out of the weights would be taken from them.
  const isDrawn = ({ peft }: RecipeFile) => peft.peft_type === 'LORA' && !startsFromWeights(peft);
  const differs = (name: string) =>
    JSON.stringify(given[name]) !== JSON.stringify(own[name]) &&
    !(name === 'init_lora_weights' && isDrawn(recipe));
  const differing = differs('peft_type')
    ? ['peft_type']
    : [...new Set([...Object.keys(own), ...Object.keys(given)])].filter(
        (name) => isGiven(name) && name !== FREE && differs(name),
      );
  if (differing.length > 0) {
    const list = (values: JsonObject) =>
      differing.map((name) => `${name} ${describe(values[name] ?? null)}`).join(', ');
    throw new CliError(
      'usage',
      `${fileName} asks for ${list(given)}, but the adapter in ${adapterFolder} was made with ${list(own)}. Leave such settings out, and the adapter's are taken, or set them to the adapter's.`,
    );
  }
  const { peft } = recipe;
  if (made.peft_type !== 'LORA' || peft.peft_type !== 'LORA' || !isGiven(FREE))
    return { ...recipe, peft: made };
  return { ...recipe, peft: { ...made, lora_dropout: peft.lora_dropout } };
}
