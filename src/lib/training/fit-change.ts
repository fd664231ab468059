/**
 * The smallest change of a run's settings that would make it fit into GPU memory. First what leaves the
 * result as it is: smaller batches (gathered to the same step), layers computed again. Then Adam's moments in
 * 8 bits, then the base in 4 bits, then shorter rows, then a smaller rank; in place of full fine-tuning, at the very
 * last, LoRA. Knows no GPU: whether a candidate fits is asked.
 */
import {
  canStartAt,
  COMMON_RECIPE,
  evaluatesItself,
  has8bitMoments,
  type PeftConfig,
  type TrainingArguments,
} from '../config';
import { LENGTH_STEP } from './batches';
import type { RowsShape } from './outline-trainer';

/** Only what changes, by the names of TrainingArguments and LoraConfig. */
export interface FitChange {
  /** With LoRA's options of the common recipe. */
  peft_type?: 'LORA';
  gradient_checkpointing?: true;
  optim?: 'adamw_8bit';
  load_in_4bit?: true;
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
  /** The run goes on from an adapter, whose method and rank cannot change. */
  readonly hasGivenAdapter?: boolean;
}

/** Shares of the longest row that are tried; shorter ones would hardly leave an answer. */
const LENGTH_SHARES = [3 / 4, 1 / 2, 3 / 8, 1 / 4, 3 / 16, 1 / 8];
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
  const { peft_type, r, lora_alpha, ...training } = change;
  const { args, trained, evaluated } = settings;
  const peft = peft_type === 'LORA' ? COMMON_RECIPE.lora : settings.peft;
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
  const [batches, recompute] = [smallerBatches(settings), recomputed(settings)];
  const both = recompute.flatMap((change) => batches.map((batch) => ({ ...batch, ...change })));
  const sameResult: FitChange[] = [...batches, ...recompute, ...both];
  yield* sameResult;
  const moments = momentsIn8Bits(settings);
  for (const change of moments)
    for (const other of [{}, ...sameResult]) yield { ...other, ...change };
  // An adapter has few moments: they change only where that makes the difference.
  const orWithMoments = (change: FitChange): FitChange[] => [
    change,
    ...moments.map((moment) => ({ ...change, ...moment })),
  ];
  const free = sameResult.at(-1);
  const fourBit = inFourBits(settings);
  for (const change of fourBit) yield* orWithMoments({ ...free, ...change });
  const small = { ...free, ...fourBit.at(-1) };
  const lengths = shorterLengths(settings);
  for (const length of lengths) yield* orWithMoments({ ...small, ...length });
  const ranks = smallerRanks(settings);
  yield* ranks;
  for (const rank of ranks) yield* orWithMoments({ ...small, ...lengths.at(-1), ...rank });
  for (const change of loraInstead(settings))
    for (const other of [{}, ...sameResult]) yield { ...change, ...other };
}

/** Each layer's forward once more in backward: the same bits, about a third more work. */
function recomputed({ args }: FitSettings): FitChange[] {
  return args.gradient_checkpointing ? [] : [{ gradient_checkpointing: true }];
}

/** About 2 bytes a parameter in place of 8: much where every parameter is trained, and nearly the same result. */
function momentsIn8Bits({ args }: FitSettings): FitChange[] {
  return has8bitMoments(args) ? [] : [{ optim: 'adamw_8bit' }];
}

/** Full fine-tuning has no base to round. */
function inFourBits({ args, peft }: FitSettings): FitChange[] {
  return args.load_in_4bit || peft.peft_type === 'FULL' ? [] : [{ load_in_4bit: true }];
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

/**
 * Halved down to 1 as far as the start has such a rank, with alpha so that the scale stays; ranks or alphas that
 * patterns give are a person's own.
 */
function smallerRanks({ peft, hasGivenAdapter }: FitSettings): FitChange[] {
  const changes: FitChange[] = [];
  if (peft.peft_type === 'LORA' && !hasGivenAdapter && !peft.rank_pattern && !peft.alpha_pattern)
    for (let r = peft.r >> 1; r >= 1; r >>= 1)
      if (canStartAt(peft, r)) changes.push({ r, lora_alpha: (peft.lora_alpha * r) / peft.r });
  return changes;
}

/** The weights as they are, and few parameters beside them with gradients and moments. */
function loraInstead({ peft, hasGivenAdapter }: FitSettings): FitChange[] {
  return peft.peft_type === 'FULL' && !hasGivenAdapter ? [{ peft_type: 'LORA' }] : [];
}
