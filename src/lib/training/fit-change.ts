/**
 * The smallest change of a run's settings that would make it fit into GPU memory: first smaller
 * batches (gathered to the same step), then shorter rows, then a smaller rank. Knows no GPU: whether a
 * candidate fits is asked.
 */
import { evaluatesItself, type PeftConfig, type TrainingArguments } from '../config';
import type { RowsShape } from './predict-memory';

/** Only what changes, by the names of TrainingArguments and LoraConfig. */
export interface FitChange {
  per_device_train_batch_size?: number;
  per_device_eval_batch_size?: number;
  gradient_accumulation_steps?: number;
  max_length?: number;
  r?: number;
  lora_alpha?: number;
}

export interface FitSettings {
  readonly peft: PeftConfig;
  readonly args: TrainingArguments;
  readonly trained: RowsShape;
  readonly evaluated?: RowsShape;
}

/** Shares of the longest row that are tried; shorter ones would hardly leave an answer. */
const LENGTH_SHARES = [3 / 4, 1 / 2, 3 / 8, 1 / 4, 3 / 16, 1 / 8];
/** Rows are padded to multiples of it, so that other lengths save nothing. */
const LENGTH_STEP = 16;
const SHORTEST = 32;

/** @returns undefined where no candidate fits: only a smaller model would */
export async function findFit(
  settings: FitSettings,
  fits: (candidate: FitSettings) => Promise<boolean>,
): Promise<FitChange | undefined> {
  for (const change of candidates(settings))
    if (await fits(withChange(settings, change))) return change;
  return undefined;
}

export function withChange(settings: FitSettings, change: FitChange): FitSettings {
  const { r, lora_alpha, ...training } = change;
  const { peft, args, trained, evaluated } = settings;
  const cut = ({ count, longest }: RowsShape): RowsShape => ({
    count,
    longest: Math.min(longest, change.max_length ?? longest),
  });
  return {
    ...settings,
    peft:
      peft.peft_type === 'LORA' && r !== undefined
        ? { ...peft, r, lora_alpha: lora_alpha ?? peft.lora_alpha }
        : peft,
    args: { ...args, ...training },
    trained: cut(trained),
    evaluated: evaluated && cut(evaluated),
  };
}

/** `name=value` pairs, as an error's details carry them. */
export function writeFitChange(change: FitChange): string {
  return Object.entries(change)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

function* candidates(settings: FitSettings): Generator<FitChange> {
  const batches = smallerBatches(settings);
  const lengths = shorterLengths(settings);
  const ranks = smallerRanks(settings);
  yield* batches;
  const smallest = batches.at(-1) ?? {};
  for (const length of lengths) yield { ...smallest, ...length };
  yield* ranks;
  const shortest = lengths.at(-1) ?? {};
  for (const rank of ranks) yield { ...smallest, ...shortest, ...rank };
}

/** Halved down to 1; as many rows a step as before. */
function smallerBatches({ args, trained }: FitSettings): FitChange[] {
  const batch = Math.min(trained.count, args.per_device_train_batch_size);
  const rowsAStep = batch * args.gradient_accumulation_steps;
  const changes: FitChange[] = [];
  for (let size = batch >> 1; size >= 1; size >>= 1)
    changes.push({
      per_device_train_batch_size: size,
      gradient_accumulation_steps: Math.ceil(rowsAStep / size),
      ...(evaluatesItself(args) && args.per_device_eval_batch_size > size
        ? { per_device_eval_batch_size: size }
        : {}),
    });
  return changes;
}

function shorterLengths({ trained: { longest } }: FitSettings): FitChange[] {
  const lengths = LENGTH_SHARES.map(
    (share) => Math.floor((longest * share) / LENGTH_STEP) * LENGTH_STEP,
  ).filter((length) => length >= SHORTEST && length < longest);
  return [...new Set(lengths)].map((max_length) => ({ max_length }));
}

/** Halved down to 1, with alpha so that the scale stays. */
function smallerRanks({ peft }: FitSettings): FitChange[] {
  const changes: FitChange[] = [];
  if (peft.peft_type === 'LORA')
    for (let r = peft.r >> 1; r >= 1; r >>= 1)
      changes.push({ r, lora_alpha: (peft.lora_alpha * r) / peft.r });
  return changes;
}
