/**
 * PEFT's options on which layers a method goes, and on ranks and alphas that are not the same everywhere: read with
 * distrust, kept as they are written. What they mean on a model is peft/lora-targets.ts's to say.
 */
import { ConfigError } from './errors';
import { describe, Fields, isJsonObject } from './fields';
import { LINEAR_MODULES, type LinearModule } from './linear-modules';
import { ModulePattern, PATTERN_SYNTAX } from './module-pattern';
import { PatternFlaw } from './pattern-machine';
import { isSet, refused } from './unsupported-peft';

/** Whole names, or what follows one of their dots; a text is a regular expression of whole names. */
export type ModuleNames = readonly string[] | string;

/** Absent is PEFT's default: every target of every layer, all with the same rank and alpha. */
export interface LayerOptions {
  exclude_modules?: ModuleNames;
  /** Indices of blocks; a target that is written as a whole name stays whatever its block. */
  layers_to_transform?: number | readonly number[];
  /** What stands before the index in a name. */
  layers_pattern?: string | readonly string[];
  /** Regular expressions of names, or of what follows one of their dots, to r; the first that fits counts. */
  rank_pattern?: Readonly<Record<string, number>>;
  /** As `rank_pattern`, to lora_alpha. */
  alpha_pattern?: Readonly<Record<string, number>>;
}

export const LAYER_OPTIONS = [
  'exclude_modules',
  'layers_to_transform',
  'layers_pattern',
  'rank_pattern',
  'alpha_pattern',
] as const satisfies readonly (keyof LayerOptions)[];

/** As many as the linear layers of the largest models, with room. */
const MOST_ENTRIES = 4096;
const LONGEST_NAME = 200;
const MODULE_LIST = `all-linear or a list out of ${LINEAR_MODULES.join(', ')}`;
const ALLOWED = { allowed: LINEAR_MODULES.join(', ') };

/** The modules, where the targets are these alone, in every block: what boxes can show. */
export function moduleList(names: ModuleNames): readonly LinearModule[] | undefined {
  if (typeof names === 'string') return undefined;
  const modules = names.filter((name): name is LinearModule => isModule(name));
  return modules.length === names.length ? modules : undefined;
}

const isModule = (name: string) => LINEAR_MODULES.some((module) => module === name);

/**
 * Whole names of linear layers or ends of them; an expression where it is a text. `all-linear` is the list of all
 * modules, and one module's name, that PEFT would take for an expression of nothing, the list of it.
 * @throws ConfigError when a name is of no linear layer of a decoder block
 */
export function readTargets(
  fields: Fields,
  name: 'target_modules' | 'feedforward_modules',
  defaults: readonly LinearModule[],
): ModuleNames {
  const value = fields.value(name) ?? defaults;
  if (typeof value === 'string') {
    if (value.toLowerCase() === 'all-linear') return [...LINEAR_MODULES];
    if (!/^\w*$/.test(value)) return readExpression(fields, name, value);
  }
  const list: unknown = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || list.length === 0)
    throw fields.wrong(name, value, `${MODULE_LIST}`, ALLOWED);
  requireFew(fields, name, list.length);
  const field = fields.spelling(name);
  for (const item of list as unknown[])
    if (typeof item !== 'string' || item.length > LONGEST_NAME || !isModule(lastPart(item))) {
      const { fileName } = fields;
      const found = describe(item);
      throw new ConfigError(
        'unsupported-option',
        `${fileName}: ${field} names ${found}; allowed are ${MODULE_LIST}, or paths that end in one of them.`,
        { details: { fileName, field, found, ...ALLOWED } },
      );
    }
  const names = list as string[];
  return names.every(isModule)
    ? LINEAR_MODULES.filter((module) => names.includes(module))
    : [...new Set(names)].sort();
}

const lastPart = (name: string) => name.slice(name.lastIndexOf('.') + 1);

/**
 * @param target_modules as `readTargets` has read them
 * @throws ConfigError by name, also for what PEFT takes for a contradiction
 */
export function readLayerOptions(
  fields: Fields,
  target_modules: ModuleNames,
  mostRank: number,
): LayerOptions {
  const options: LayerOptions = withoutHoles({
    exclude_modules: readExcluded(fields),
    layers_to_transform: readLayers(fields),
    layers_pattern: readLayersPattern(fields),
    rank_pattern: readPattern(fields, 'rank_pattern', (numbers, name) =>
      numbers.integer(name, undefined, { min: 1, max: mostRank }),
    ),
    alpha_pattern: readPattern(fields, 'alpha_pattern', (numbers, name) =>
      numbers.number(name, undefined, { min: 0, max: 1e9, open: true }),
    ),
  });
  const { layers_to_transform, layers_pattern } = options;
  const given = fields.value('target_modules');
  const isText =
    typeof target_modules === 'string' ||
    (typeof given === 'string' && given.toLowerCase() === 'all-linear');
  if (layers_to_transform !== undefined && isText)
    throw refused(
      fields,
      'layers_to_transform',
      layers_to_transform,
      'name modules in a list, with a text in target_modules PEFT takes none either',
    );
  if (layers_pattern !== undefined && layers_to_transform === undefined)
    throw refused(
      fields,
      'layers_pattern',
      layers_pattern,
      'it says where layers_to_transform counts, give that too',
    );
  return options;
}

/** Of IA3 as well. @returns undefined where nothing is named */
export function readExcluded(fields: Fields): ModuleNames | undefined {
  const value = fields.value('exclude_modules');
  if (!isSet(value)) return undefined;
  if (typeof value === 'string') return readExpression(fields, 'exclude_modules', value);
  return [...new Set(readNames(fields, 'exclude_modules', value))].sort();
}

function readLayers(fields: Fields): LayerOptions['layers_to_transform'] {
  const value = fields.value('layers_to_transform');
  if (!isSet(value)) return undefined;
  const isIndex = (index: unknown) => Number.isSafeInteger(index) && (index as number) >= 0;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (!list.every(isIndex))
    throw fields.wrong('layers_to_transform', value, 'an index of a layer or a list of them');
  requireFew(fields, 'layers_to_transform', list.length);
  return Array.isArray(value) ? (value as number[]) : (value as number);
}

/** PEFT puts it into an expression as it is; here it is letters, digits, _ and dots, as it is in all published ones. */
function readLayersPattern(fields: Fields): LayerOptions['layers_pattern'] {
  const value = fields.value('layers_pattern');
  if (!isSet(value)) return undefined;
  const isList = Array.isArray(value);
  const names = readNames(fields, 'layers_pattern', isList ? value : [value]);
  const odd = names.find((name) => !/^[\w.]+$/.test(name));
  if (odd !== undefined) throw fields.unsupported('layers_pattern', odd, 'A-Z, a-z, 0-9, _ and .');
  return isList ? names : names[0];
}

function readPattern(
  fields: Fields,
  name: 'rank_pattern' | 'alpha_pattern',
  read: (numbers: Fields, name: string) => number,
): Readonly<Record<string, number>> | undefined {
  const value = fields.value(name);
  if (!isSet(value)) return undefined;
  if (!isJsonObject(value)) throw fields.wrong(name, value, 'an object', { needs: 'object' });
  const entries = Object.entries(value);
  requireFew(fields, name, entries.length);
  const numbers = entries.map(([pattern, number]) => {
    readExpression(fields, name, pattern);
    // Under a name that fits into a sentence.
    const shown = describe(pattern);
    const alone = new Fields({ [shown]: number }, `${fields.fileName} (${name})`);
    return [pattern, read(alone, shown)] as const;
  });
  return Object.fromEntries(numbers);
}

function readNames(fields: Fields, name: string, value: unknown): string[] {
  if (!Array.isArray(value)) throw fields.wrong(name, value, 'a text or a list of texts');
  requireFew(fields, name, value.length);
  for (const item of value as unknown[])
    if (typeof item !== 'string' || item === '' || item.length > LONGEST_NAME)
      throw fields.wrong(name, item, `a text of 1 to ${LONGEST_NAME} letters`);
  return value as string[];
}

function requireFew(fields: Fields, name: string, count: number): void {
  if (count > MOST_ENTRIES)
    throw new ConfigError(
      'out-of-range',
      `${fields.fileName}: ${name} has ${count} entries, at most ${MOST_ENTRIES} are read.`,
      { details: { fileName: fields.fileName, field: name, found: count, max: MOST_ENTRIES } },
    );
}

/** @returns the text as it is */
function readExpression(fields: Fields, name: string, text: string): string {
  try {
    new ModulePattern(text);
    return text;
  } catch (error) {
    if (!(error instanceof PatternFlaw)) throw error;
    const { fileName } = fields;
    const [field, found] = [fields.spelling(name), describe(text)];
    throw new ConfigError(
      'unsupported-option',
      `${fileName}: ${field} has ${found}, a regular expression that ${error.message}; allowed are letters and ${PATTERN_SYNTAX}.`,
      {
        details: { fileName, field, found, allowed: PATTERN_SYNTAX },
      },
    );
  }
}

const withoutHoles = <Value extends object>(value: Value): Value =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Value;
