/**
 * A flat recipe, PEFT's names beside TrainingArguments': written, and read in full; what is in it without
 * being used is told in a sentence each. A name that is not used is no error: recipes are shared with other programs.
 */
import { ownNamesOf, RECIPE_ALIASES } from './aliases';
import { DEFAULT_LORA_CONFIG } from './lora-config';
import { LAYER_OPTIONS } from './layer-options';
import { describe, parseJsonObject, type JsonObject } from './fields';
import { knownSetting } from './known-settings';
import { refuseOtherTrainings } from './other-trainings';
import {
  DEFAULT_IA3_CONFIG,
  DEFAULT_PREFIX_CONFIG,
  readPeftConfig,
  type PeftConfig,
} from './peft-config';
import {
  DEFAULT_TRAINING_ARGUMENTS,
  readTrainingArguments,
  type TrainingArguments,
} from './training-arguments';
import { isSet } from './unsupported-peft';

/** A name that changes nothing though it was meant to. */
export interface UnusedSetting {
  readonly name: string;
  /** The name that stands for it here, where there is one. */
  readonly meant?: string;
  readonly sentence: string;
}

export interface RecipeFile {
  readonly peft: PeftConfig;
  readonly args: TrainingArguments;
  /** What the file speaks of: PEFT's own files say nothing of the training, the Trainer's nothing of the method. */
  readonly says: { readonly peft: boolean; readonly training: boolean };
  readonly unused: readonly UnusedSetting[];
  /** The sentences of what is unused. */
  readonly warnings: readonly string[];
}

/** @throws ConfigError naming the field, what was found and what is allowed */
export const parseRecipeFile = (text: string, fileName: string): RecipeFile =>
  readRecipe(parseJsonObject(text, fileName), fileName);

/** @throws ConfigError as `parseRecipeFile` does */
export function readRecipe(object: JsonObject, fileName: string): RecipeFile {
  const ofPeft = new Set<string>();
  const ofTraining = new Set<string>();
  const peft = readPeftConfig(object, fileName, ofPeft);
  const args = readTrainingArguments(object, fileName, DEFAULT_TRAINING_ARGUMENTS, ofTraining);
  const settled = new Set<string>();
  refuseOtherTrainings(object, fileName, settled);
  // An alias stands among the names that were read only where it says something, be it null.
  const names = Object.keys(object).filter(
    (name) => object[name] !== null || (ofPeft.has(name) && isAliasAlone(name)),
  );
  const namesRead = new Set([...ofPeft, ...ofTraining, ...settled]);
  const unused = findUnused(object, fileName, namesRead, peft);
  return {
    peft,
    args,
    says: {
      peft: names.some((name) => ofPeft.has(name)),
      training: names.some((name) => ofTraining.has(name)),
    },
    unused,
    warnings: unused.map(({ sentence }) => sentence),
  };
}

/** What `parseRecipeFile` reads as the same recipe, with every option written out. */
export const writeRecipeFile = (peft: PeftConfig, args: TrainingArguments): string =>
  `${JSON.stringify({ ...peft, ...args }, null, 2)}\n`;

function findUnused(
  object: JsonObject,
  fileName: string,
  namesRead: ReadonlySet<string>,
  { peft_type }: PeftConfig,
): UnusedSetting[] {
  const ofMethods = namesOfMethods();
  return Object.entries(object).flatMap(([name, value]) => {
    // Blank in a form of YAML is nothing said.
    if (namesRead.has(name) || value === null) return [];
    const known = knownSetting(name);
    if (known?.isHarmless(value) || (isOfLayers(name) && !isSet(value))) return [];
    const tell = (rest: string, meant?: string): UnusedSetting[] => [
      { name: shown(name), meant, sentence: `${fileName}: ${shown(name)} is not used${rest}` },
    ];
    const own = ownNamesOf(name);
    if (own.length > 0 && own.every((one) => ofMethods.has(one) && !namesRead.has(one)))
      return tell(`: peft_type ${peft_type} has no such option.`);
    if (known)
      return tell(
        ` (it is ${describe(value)})${known.instead ? `: ${known.instead}` : ''}.`,
        /^use (\w+)$/.exec(known.instead ?? '')?.[1],
      );
    if (ofMethods.get(name)?.includes(value)) return [];
    if (ofMethods.has(name)) return tell(`: peft_type ${peft_type} has no such option.`);
    const nearest = nearestName(name, [...namesRead, ...ofMethods.keys()]);
    return tell(nearest ? `; did you mean ${nearest}?` : '.', nearest);
  });
}

const isAliasAlone = (name: string) => ownNamesOf(name).length > 0 && !RECIPE_ALIASES.has(name);

const isOfLayers = (name: string) => LAYER_OPTIONS.some((option) => option === name);

const shown = (name: string): string => (/^\w+$/.test(name) ? name : describe(name));

/** Options that some method has, whichever the recipe is for, with their values at rest. */
function namesOfMethods(): ReadonlyMap<string, readonly unknown[]> {
  const all = [DEFAULT_LORA_CONFIG, DEFAULT_IA3_CONFIG, DEFAULT_PREFIX_CONFIG];
  const names = new Set([...LAYER_OPTIONS, ...all.flatMap((config) => Object.keys(config))]);
  return new Map(
    [...names].map((name) => [name, [null, ...all.map((config) => Reflect.get(config, name))]]),
  );
}

/** Longer names are no slip of ours; comparing them would take long. */
const LONGEST_NAME = 64;

/** The name that differs in few letters, whatever its capitals and underscores; undefined where none does. */
function nearestName(name: string, names: readonly string[]): string | undefined {
  if (name.length > LONGEST_NAME) return undefined;
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const wanted = plain(name);
  const most = Math.min(3, Math.floor(wanted.length / 4));
  const distances = names.map((other) => ({ other, distance: editDistance(wanted, plain(other)) }));
  const [best] = distances.sort((a, b) => a.distance - b.distance);
  return best && best.distance <= most ? best.other : undefined;
}

/** Levenshtein's: letters put in, left out or replaced. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}
