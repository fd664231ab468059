/**
 * Going on with a run that was ended: which checkpoint it is, and whether these settings and rows would lead it
 * to where it was going. What made a checkpoint stands in it as `run_settings.json`; those of the page have none.
 */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DEFAULT_TRAINING_ARGUMENTS,
  LAYER_OPTIONS,
  parseJsonObject,
  parsePeftConfig,
  type JsonObject,
  type PeftConfig,
  type TrainingArguments,
} from '$lib/config';
import { describe } from '$lib/config/fields';
import type { AdaptedModel } from '$lib/peft';
import {
  CHECKPOINT_FILES,
  checkpointName,
  checkpointStep,
  keptConfig,
  readCheckpoint,
  TrainingError,
  type Checkpoint,
  type TokenRow,
} from '$lib/training';
import { readBytes, readText } from './disk';
import { CliError } from './errors';

export const RUN_SETTINGS_FILE = 'run_settings.json';

/** What decides a run's bits, beside the model. */
export interface RunSettings {
  readonly peft: PeftConfig;
  readonly args: TrainingArguments;
  readonly rows: readonly TokenRow[];
  readonly evalRows: readonly TokenRow[] | undefined;
}

/** They say what is told and kept of a run, not what it learns. */
const FREE: readonly string[] = [...['save_total_limit', 'logging_strategy', 'logging_first_step']];
/** Nor these, unless a run evaluates itself: they decide then which checkpoint is the best, and when it ends. */
const FREE_WITHOUT_EVALUATION: readonly string[] = ['save_strategy', 'save_steps', 'logging_steps'];

/** Asked for by the settings, or made between to go on from, which lasts until the next of either kind. */
export type CheckpointKind = 'asked' | 'resume-point';

/** As it stands in the file: options by name, rows by their digest. */
export function writeRunSettings(
  { peft, args, rows, evalRows }: RunSettings,
  kind: CheckpointKind = 'asked',
): string {
  const settings = { ...peft, ...args, dataset: digest(rows), eval_dataset: digest(evalRows) };
  const mark = kind === 'resume-point' ? { resume_point: true } : {};
  return `${JSON.stringify({ ...settings, ...mark }, undefined, 2)}\n`;
}

function digest(rows: readonly TokenRow[] | undefined): string | null {
  if (!rows) return null;
  const hash = createHash('sha256');
  for (const { inputIds, labels } of rows)
    hash.update(Int32Array.of(inputIds.length)).update(inputIds).update(labels);
  return hash.digest('hex');
}

/**
 * @param given a checkpoint's folder; '' is the newest complete one in the output folder, of this run where it has any
 * @throws CliError `file` where there is none
 */
export async function findCheckpoint(
  given: string,
  output: string,
  settings: RunSettings,
): Promise<string> {
  if (given !== '') {
    await requireComplete(given);
    return given;
  }
  const own = await earlierCheckpoints(output, Infinity, settings);
  const newest = [...own.keys()].at(-1) ?? (await completeSteps(output)).at(-1);
  if (newest === undefined)
    throw new CliError(
      'file',
      `--resume: ${output} holds no complete checkpoint. Leave --resume out to begin the run, or give it a checkpoint's folder.`,
    );
  return join(output, checkpointName(newest));
}

/** @throws CliError `file` */
async function requireComplete(folder: string): Promise<void> {
  const names = await listFolder(folder);
  const missing = CHECKPOINT_FILES.filter((name) => !names.includes(name));
  if (missing.length > 0)
    throw new CliError(
      'file',
      `--resume: ${folder} is no complete checkpoint, it has no ${missing.join(', ')}. Give the folder checkpoint-N of a run.`,
    );
}

/** Of the checkpoints that have all their files, from the oldest on. */
async function completeSteps(output: string): Promise<number[]> {
  const steps: number[] = [];
  for (const name of await listFolder(output)) {
    const step = checkpointStep(name);
    if (step === undefined || name !== checkpointName(step)) continue;
    const files = await listFolder(join(output, name));
    if (CHECKPOINT_FILES.every((file) => files.includes(file))) steps.push(step);
  }
  return steps.sort((a, b) => a - b);
}

const listFolder = (path: string): Promise<string[]> => readdir(path).catch(() => []);

/**
 * @throws TrainingError `wrong-checkpoint` for one of another run, naming the first thing that differs; what
 *   readCheckpoint throws
 */
export async function openCheckpointFolder(
  folder: string,
  settings: RunSettings,
  model: AdaptedModel,
): Promise<Checkpoint> {
  const files = new Map<string, Uint8Array>();
  for (const name of CHECKPOINT_FILES) files.set(name, await readBytes(join(folder, name)));
  const wanted = JSON.parse(writeRunSettings(settings)) as JsonObject;
  const made = await readMadeWith(folder);
  if (made) requireEqual(folder, made, wanted, Object.keys(wanted));
  const config = new TextDecoder().decode(files.get('adapter_config.json'));
  const [found, kept] = [parsePeftConfig(config), keptConfig(settings.peft)].map(asObject);
  requireEqual(folder, found, kept, Object.keys(kept));
  const checkpoint = readCheckpoint(files, settings.peft, model);
  const { per_device_train_batch_size } = settings.args;
  requireEqual(
    folder,
    { per_device_train_batch_size: checkpoint.state.train_batch_size },
    { per_device_train_batch_size },
  );
  return checkpoint;
}

/** @throws TrainingError `wrong-checkpoint` where the run is longer or shorter, so that its rates would be others */
export function requireSameLength(
  folder: string,
  { state: { max_steps, global_step } }: Checkpoint,
  totalSteps: number,
): void {
  if (max_steps !== totalSteps || global_step > totalSteps)
    throw wrongCheckpoint(
      folder,
      `it is at step ${global_step} of ${max_steps}, and this run has ${totalSteps}`,
    );
}

/**
 * The checkpoints that the run itself left in its output folder before it ended, by step: of the same settings, and
 * but for resume points no younger than the one it goes on from.
 */
export async function earlierCheckpoints(
  output: string,
  upTo: number,
  settings: RunSettings,
): Promise<Map<number, CheckpointKind>> {
  const own = new Map<number, CheckpointKind>();
  const wanted = JSON.parse(writeRunSettings(settings)) as JsonObject;
  for (const step of await completeSteps(output)) {
    const made = await readMadeWith(join(output, checkpointName(step))).catch(() => undefined);
    if (!made || firstDifference(made, wanted) !== undefined) continue;
    const kind = made.resume_point === true ? 'resume-point' : 'asked';
    if (step <= upTo || kind === 'resume-point') own.set(step, kind);
  }
  return own;
}

async function readMadeWith(folder: string): Promise<JsonObject | undefined> {
  if (!(await listFolder(folder)).includes(RUN_SETTINGS_FILE)) return undefined;
  return parseJsonObject(await readText(join(folder, RUN_SETTINGS_FILE)), RUN_SETTINGS_FILE);
}

const asObject = (config: PeftConfig): JsonObject => ({ ...config });

const firstDifference = (
  found: JsonObject,
  wanted: JsonObject,
  names: readonly string[] = Object.keys(wanted),
): string | undefined =>
  // What neither says is the same in both.
  [...names, ...LAYER_OPTIONS].find(
    (name) =>
      !FREE.includes(name) &&
      !(wanted.eval_strategy === 'no' && FREE_WITHOUT_EVALUATION.includes(name)) &&
      JSON.stringify(valueOf(found, name)) !== JSON.stringify(valueOf(wanted, name)),
  );

/** An argument that is younger than the file was as it is by default. */
const valueOf = (settings: JsonObject, name: string): unknown =>
  settings[name] === undefined
    ? (DEFAULT_TRAINING_ARGUMENTS as object as JsonObject)[name]
    : settings[name];

function requireEqual(
  folder: string,
  found: JsonObject,
  wanted: JsonObject,
  names?: readonly string[],
): void {
  const name = firstDifference(found, wanted, names);
  if (name === undefined) return;
  const isRows = name === 'dataset' || name === 'eval_dataset';
  throw wrongCheckpoint(
    folder,
    isRows
      ? `it was made with other rows than --${name.replace('_', '-')} gives`
      : `it was made with ${name} ${describe(found[name] ?? null)}, and this run has ${describe(wanted[name] ?? null)}`,
  );
}

const wrongCheckpoint = (folder: string, found: string): TrainingError =>
  new TrainingError(
    'wrong-checkpoint',
    `--resume: ${folder} belongs to another run: ${found}. Give what it was made with, or begin a new run from it with --init-adapter.`,
  );
