/**
 * Settings of a run out of a file or a record: a flat recipe as the command line takes it, PEFT's
 * `adapter_config.json`, the Trainer's arguments, another program's recipe in YAML, or a run's card. Read whole or refused in one sentence. Pure.
 */
import {
  checkRecipe,
  ConfigError,
  InkstoneError,
  isJsonObject,
  isSampleLength,
  parseJsonObject,
  parseSettingsObject,
  readRecipe,
  SAMPLE_TOKENS,
  type JsonObject,
  type PeftConfig,
  type TrainingArguments,
  type UnusedSetting,
} from '../config';
import type { LeaveOut, RunSummary } from '../rpc/engine-api';
import { LEAVE_OUT, MOST_HELD_BACK, MOST_STEPS_BETWEEN_SAMPLES } from './kept-form';
import { isObject, list, number, text } from './local-shapes';
import { methodOf } from './methods';
import { isAllowed, LIMITS, optionsOf, shownNumbers, type NumberOption } from './recipe-limits';
import { shownSchedule } from './recipe-schedule';
import { askingOf, type RunAsking } from './run-asking';
import type { RememberedRequest } from './local-shapes';

/** Settings are a few KB; the card of a long run, whose log is in it, some MB. */
export const MOST_SETTINGS_BYTES = 16 * 1024 ** 2;

/** A model or data that a run had: by its id where it is here, else known again by its rows. */
export interface NamedThing {
  id: string;
  name?: string;
  sha256?: string;
}

/** What a run was beside its options; absent in files that say nothing of it. */
export interface RunSurroundings extends RunAsking {
  model: NamedThing;
  dataset: NamedThing;
  evalDataset?: NamedThing;
  evalShare: number;
  leaveOut: readonly LeaveOut[];
  startedFrom?: { adapterId: string; name: string };
}

export interface ReadSettings {
  /** Absent where the file says nothing of the method. */
  peft?: PeftConfig;
  /** Absent where the file says nothing of the training. */
  training?: TrainingArguments;
  /** Whether it says if long texts are split; other programs and older versions say nothing of it. */
  splitIsOwn: boolean;
  /** Share of the rows that the file holds back, where it says so. */
  evalShare?: number;
  unused: readonly UnusedSetting[];
  run?: RunSurroundings;
}

/** @throws InkstoneError or ConfigError, in one sentence; nothing is half read */
export async function readSettingsFile(file: File): Promise<ReadSettings> {
  const { name, size } = file;
  if (size > MOST_SETTINGS_BYTES)
    throw new InkstoneError(
      'too-large',
      `${name} has ${size} bytes; a file of settings has at most ${MOST_SETTINGS_BYTES}. ${CHOOSE}`,
      { details: { fileName: name } },
    );
  const content = await file.text();
  const object = await parseSettingsObject(content, name).catch((error: unknown) => {
    throw unreadable(error, name);
  });
  return readSettings(object, name);
}

const CHOOSE =
  'Choose a file that “Save settings” wrote, a run’s card, PEFT’s adapter_config.json, the Trainer’s arguments in JSON, or a recipe of LLaMA-Factory or axolotl in YAML.';

/** Of JSON. @throws InkstoneError or ConfigError, in one sentence */
export const parseSettings = (content: string, fileName: string): ReadSettings =>
  readSettings(parseObject(content, fileName), fileName);

function readSettings(object: JsonObject, fileName: string): ReadSettings {
  if (object.kind === 'inkstone-run-card') return readCard(object, fileName);
  const { peft, args, says, unused, evalShare } = readForThisPage(object, fileName);
  if (!says.peft && !says.training)
    throw noSettings(fileName, `${fileName} names no setting of a run. ${CHOOSE}`);
  return requireUsable(
    {
      peft: says.peft ? peft : undefined,
      training: says.training ? args : undefined,
      splitIsOwn: saysSplit(object),
      ...(evalShare !== undefined && { evalShare }),
      unused,
    },
    fileName,
  );
}

const saysSplit = (training: object): boolean => Object.hasOwn(training, 'split_long_text');

/** Of axolotl, with the strategy that each asks for. */
const OFTEN = { evals_per_epoch: 'eval_strategy', saves_per_epoch: 'save_strategy' } as const;
/** Of LLaMA-Factory and axolotl. */
const SHARES = ['val_size', 'val_set_size'];

/** The form has no field for several times an epoch, and one for the share held back, which no recipe has. */
function readForThisPage(object: JsonObject, fileName: string) {
  const isOften = (name: string) => Number.isSafeInteger(object[name]) && Number(object[name]) > 1;
  const often = (['evals_per_epoch', 'saves_per_epoch'] as const).filter(isOften);
  const once = Object.fromEntries(often.map((name) => [name, 1]));
  const { peft, args, says, unused } = readRecipe({ ...object, ...once }, fileName);
  const share = SHARES.find((name) => number(object[name], 0, MOST_HELD_BACK) !== undefined);
  const told = often
    .filter((name) => args[OFTEN[name]] === 'epoch' && !unused.some((one) => one.name === name))
    .map((name) => ({
      name,
      sentence: `${fileName}: ${name} is ${String(object[name])}, on this page it is 1, at each epoch's end; the command line takes it as it is.`,
    }));
  return {
    ...{ peft, args, says },
    evalShare: share === undefined ? undefined : (object[share] as number),
    unused: [...unused.filter(({ name }) => name !== share), ...told],
  };
}

function parseObject(content: string, fileName: string): JsonObject {
  try {
    return parseJsonObject(content, fileName);
  } catch (error) {
    throw unreadable(error, fileName);
  }
}

/** Which line of a recipe in YAML is wrong is told as it is. */
function unreadable(error: unknown, fileName: string): unknown {
  if (!(error instanceof ConfigError) || error.code === 'not-yaml') return error;
  // Their own next step is for files that were published.
  return noSettings(fileName, `${error.message.replace(/ Take the file as .*$/, '')} ${CHOOSE}`);
}

const noSettings = (fileName: string, message: string): InkstoneError =>
  new InkstoneError('no-settings', message, { details: { fileName } });

/** What this page could not show, or no run could begin with, is refused by name. */
function requireUsable(settings: ReadSettings, fileName: string): ReadSettings {
  const { peft, training } = settings;
  if (peft && training) checkRecipe(peft, training);
  const numbers: Partial<Record<NumberOption, unknown>> = {
    ...(peft as object | undefined),
    ...(training && { ...training, ...shownNumbers(training), ...shownSchedule(training) }),
  };
  const counting = optionsOf(peft ? methodOf(peft) : 'lora', training?.lr_scheduler_type);
  for (const name of counting) {
    const found = numbers[name];
    if (found !== undefined && !isAllowed(name, found as number))
      throw notOnThisPage(fileName, name, found);
  }
  return settings;
}

function notOnThisPage(fileName: string, field: NumberOption, value: unknown): ConfigError {
  const { min, max, whole } = LIMITS[field];
  const found = String(value);
  return new ConfigError(
    'out-of-range',
    `${fileName}: ${field} is ${found}, on this page it is ${whole ? 'a whole number' : 'a number'} from ${min} to ${max}. Change it in the file, or give the file to the command line.`,
    { details: { fileName, field, found, min, max, ...(whole && { needs: 'whole' }) } },
  );
}

// --- runs ---------------------------------------------------------------------------------------

/** @throws ConfigError for a run that was imported and that this page could not show */
export function settingsOfRun(run: RunSummary, remembered: RememberedRequest | undefined) {
  const named = (id: string, of: { name: string; hash?: string } | undefined): NamedThing => ({
    id,
    name: of?.name,
    sha256: of?.hash,
  });
  const { provenance } = run;
  const model = provenance?.model;
  const settings = {
    peft: run.peft,
    // Of a run it is known, if it was before there was the choice.
    training: { ...run.training, split_long_text: run.training.split_long_text ?? false },
    splitIsOwn: true,
    unused: [],
    run: {
      model: named(run.modelId, model && { name: model.name, hash: model.weightsHash }),
      dataset: named(run.datasetId, provenance?.dataset),
      ...(run.evalDatasetId !== undefined && {
        evalDataset: named(run.evalDatasetId, provenance?.evalDataset),
      }),
      evalShare: Math.min(run.evalShare, MOST_HELD_BACK),
      leaveOut: run.leaveOut ?? [],
      ...askingOf(run, remembered),
      startedFrom: run.startedFrom,
    },
  } satisfies ReadSettings;
  return requireUsable(settings, run.name);
}

function readCard(card: JsonObject, fileName: string): ReadSettings {
  if (!isJsonObject(card.peft) || !isJsonObject(card.training))
    throw noSettings(fileName, `${fileName} is a run’s card without peft or training. ${CHOOSE}`);
  const { peft, args, unused } = readRecipe({ ...card.training, ...card.peft }, fileName);
  const data = isObject(card.data) ? card.data : {};
  const model = readThing(card.model);
  const dataset = readThing(data);
  // Cards of older versions tell only of questions that were answered.
  const prompts = Array.isArray(card.samplePrompts)
    ? card.samplePrompts.flatMap((prompt) => text(prompt) ?? [])
    : list(card.samples).flatMap((sample) => (isObject(sample) ? (text(sample.prompt) ?? []) : []));
  const run: RunSurroundings | undefined = model &&
    dataset && {
      model,
      dataset,
      evalDataset: readThing(data.evaluation),
      evalShare: Math.min(number(data.evalShare, 0, 1) ?? 0, MOST_HELD_BACK),
      leaveOut: LEAVE_OUT.filter((what) => list(data.leaveOut).includes(what)),
      samplePrompts: [...new Set(prompts)],
      sampleEvery: number(card.sampleEvery, 0, MOST_STEPS_BETWEEN_SAMPLES) ?? 0,
      max_new_tokens: isSampleLength(card.max_new_tokens)
        ? card.max_new_tokens
        : SAMPLE_TOKENS.default,
      startedFrom: readStart(card.startedFrom),
    };
  return requireUsable({ peft, training: args, splitIsOwn: true, unused, run }, fileName);
}

function readThing(value: unknown): NamedThing | undefined {
  if (!isObject(value) || typeof value.id !== 'string') return undefined;
  return { id: value.id, name: text(value.name), sha256: text(value.sha256) };
}

function readStart(value: unknown): RunSurroundings['startedFrom'] {
  if (!isObject(value) || typeof value.adapterId !== 'string') return undefined;
  return { adapterId: value.adapterId, name: text(value.name) ?? value.adapterId };
}
