/**
 * Which layers a form's method goes on: the boxes of modules, and what only a file of settings can say, an
 * expression, paths, other ranks. Kept and carried through a run as it was brought; the page shows it as text. Pure.
 */
import {
  DEFAULT_IA3_CONFIG,
  DEFAULT_LORA_CONFIG,
  LAYER_OPTIONS,
  LINEAR_MODULES,
  moduleList,
  readLoraConfig,
  readPeftConfig,
  type Ia3Config,
  type LayerOptions,
  type LinearModule,
  type LoraConfig,
  type PeftConfig,
} from '../config';
import { isObject } from './local-shapes';

/** A setting that boxes cannot show, as JSON. */
export interface WrittenSetting {
  name: string;
  text: string;
}

/** Empty where the boxes and fields say all. */
export function writtenSettings(peft: PeftConfig): WrittenSetting[] {
  if (peft.peft_type !== 'LORA' && peft.peft_type !== 'IA3') return [];
  const { target_modules } = peft;
  const lists =
    peft.peft_type === 'IA3'
      ? { target_modules, feedforward_modules: peft.feedforward_modules }
      : { target_modules };
  const written = {
    ...Object.fromEntries(Object.entries(lists).filter(([, names]) => !moduleList(names))),
    ...withoutHoles(pick<LayerOptions, keyof LayerOptions>(peft, LAYER_OPTIONS)),
  };
  return Object.entries(written).map(([name, value]) => ({ name, text: JSON.stringify(value) }));
}

/** Without them: the boxes as far as they say all, else those that the method begins with. */
export function withoutWritten<Config extends LoraConfig | Ia3Config>(config: Config): Config {
  const left = Object.fromEntries(
    Object.entries(config).filter(([name]) => !LAYER_OPTIONS.some((option) => option === name)),
  ) as unknown as Config;
  if (writtenSettings(left).length === 0) return left;
  if (left.peft_type === 'LORA')
    return { ...left, target_modules: DEFAULT_LORA_CONFIG.target_modules };
  const { target_modules, feedforward_modules } = DEFAULT_IA3_CONFIG;
  return { ...left, target_modules, feedforward_modules };
}

/** Reads back what a form has kept; what is unsound falls back to the boxes. */
export function shapeLoraLayers(
  given: Readonly<Record<string, unknown>>,
): Pick<LoraConfig, 'target_modules' | keyof LayerOptions> {
  const boxes = shapeModules(given.target_modules, DEFAULT_LORA_CONFIG.target_modules);
  const asked = pick(given, [...LAYER_OPTIONS, 'target_modules', 'init_lora_weights']);
  const read = readOr(undefined, () =>
    readLoraConfig(isBoxes(given.target_modules) ? { ...asked, target_modules: null } : asked, ''),
  );
  if (!read) return { target_modules: boxes };
  return {
    target_modules: isBoxes(given.target_modules) ? boxes : read.target_modules,
    ...withoutHoles(pick(read, LAYER_OPTIONS)),
  };
}

/** As `shapeLoraLayers`. */
export function shapeIa3(value: unknown): Ia3Config {
  const given = isObject(value) ? value : {};
  const targets = shapeModules(given.target_modules, DEFAULT_IA3_CONFIG.target_modules);
  const inner = shapeModules(given.feedforward_modules, DEFAULT_IA3_CONFIG.feedforward_modules);
  const boxes: Ia3Config = {
    peft_type: 'IA3',
    target_modules: targets,
    feedforward_modules: inner.filter((module) => targets.includes(module)),
  };
  const asked = pick(given, ['target_modules', 'feedforward_modules', 'exclude_modules']);
  const { target_modules, feedforward_modules, exclude_modules } = asked;
  if (exclude_modules === undefined && isBoxes(target_modules) && isBoxes(feedforward_modules))
    return boxes;
  return readOr(boxes, () => readPeftConfig({ ...asked, peft_type: 'IA3' }, '') as Ia3Config);
}

/** None at all is what a form may hold. */
const isBoxes = (value: unknown): boolean =>
  Array.isArray(value) && moduleList(value.map(String)) !== undefined;

const shapeModules = (value: unknown, fallback: readonly LinearModule[]): LinearModule[] =>
  Array.isArray(value) ? LINEAR_MODULES.filter((module) => value.includes(module)) : [...fallback];

function readOr<Value>(fallback: Value, read: () => Value): Value {
  try {
    return read();
  } catch {
    return fallback;
  }
}

function pick<Whole extends object, Name extends keyof Whole>(
  whole: Whole,
  names: readonly Name[],
): Pick<Whole, Name> {
  return Object.fromEntries(names.map((name) => [name, whole[name]])) as Pick<Whole, Name>;
}

const withoutHoles = <Value extends object>(value: Value): Value =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Value;
