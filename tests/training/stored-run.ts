/** A run whose checkpoints go to memory as files, that can be stopped or killed at a step and taken up again. */
import { createHash } from 'node:crypto';
import { DEFAULT_TRAINING_ARGUMENTS, readLoraConfig, type TrainingArguments } from '$lib/config';
import { adaptedModel } from '$lib/decoder';
import {
  readCheckpoint,
  Trainer,
  writeCheckpoint,
  type Checkpoint,
  type CheckpointFiles,
  type TokenRow,
  type TrainerState,
} from '$lib/training';
import type { TrainerOptions } from '$lib/training';

export const LORA = readLoraConfig({ r: 3, lora_alpha: 6, lora_dropout: 0.2 }, 'test');

/** Rows of unequal length, with an ignored start; every token below 90. */
export function makeRows(count: number, seed = 0): TokenRow[] {
  return Array.from({ length: count }, (_, i) => {
    const length = 5 + ((i * 5 + seed) % 11);
    const inputIds = Int32Array.from({ length }, (_, t) => (i * 31 + t * 17 + seed * 7) % 90);
    return { inputIds, labels: inputIds.map((id, t) => (t < 2 ? -100 : id)) };
  });
}

/** The same with answers of four tokens: at a rate of `HASTY` a model has some of them right after a few steps. */
export const makeEasyRows = (count: number, seed = 0): TokenRow[] =>
  makeRows(count, seed).map(({ inputIds, labels }) => ({
    inputIds,
    labels: labels.map((label) => (label < 0 ? label : label % 4)),
  }));

export const HASTY = 0.4;

export const arguments_ = (changes: Partial<TrainingArguments>): TrainingArguments => ({
  ...DEFAULT_TRAINING_ARGUMENTS,
  learning_rate: 0.02,
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 2,
  num_train_epochs: 3,
  weight_decay: 0.01,
  logging_steps: 2,
  save_strategy: 'no',
  ...changes,
});

export type RunInput = Pick<TrainerOptions, 'gpu' | 'config' | 'weights' | 'args' | 'rows'> &
  Partial<Pick<TrainerOptions, 'evalRows' | 'initialValues'>>;

export interface RunEnd {
  /** SHA-256 of each file that the end leaves: a difference shows by the file's name. */
  readonly files: Readonly<Record<string, string>>;
  readonly state: TrainerState;
  readonly values: Float32Array;
  /** Values of the adapter in each checkpoint, by step. */
  readonly checkpoints: ReadonlyMap<number, Float32Array>;
}

type Interruption = { at: number; how: 'stopped' | 'killed' | 'stopped in evaluation' };

/**
 * Stopped: the state of that step is kept, as a person does who goes on later. Killed: what goes on is the newest
 * checkpoint that `save_strategy` left, or nothing.
 */
export async function storedRun(input: RunInput, interruption?: Interruption): Promise<RunEnd> {
  const store = new Map<number, CheckpointFiles>();
  const model = adaptedModel(input.config);
  const read = (files: CheckpointFiles) => readCheckpoint(files, LORA, model);
  const write = (checkpoint: Checkpoint) => writeCheckpoint(checkpoint, LORA, model, 'base');
  const create = (files?: CheckpointFiles) =>
    Trainer.create({
      ...input,
      peft: LORA,
      checkpoint: files && read(files),
    });
  const go = async (trainer: Trainer, signal?: AbortSignal, onStep?: (step: number) => void) =>
    trainer.run({
      signal,
      onStep: ({ step }) => onStep?.(step),
      onCheckpoint: async (checkpoint) =>
        void store.set(checkpoint.state.global_step, write(checkpoint)),
      loadCheckpoint: async (step) => read(store.get(step)!),
    });

  let trainer = await create();
  if (interruption) {
    const { at, how } = interruption;
    const stop = new AbortController();
    await go(trainer, stop.signal, (step) => {
      if (step !== at) return;
      // An evaluation asks between its batches, some of which are through by then.
      if (how === 'stopped in evaluation') setTimeout(() => stop.abort(), 2);
      else stop.abort();
    });
    const kept = write(await trainer.checkpoint());
    trainer.dispose();
    const newest = Math.max(0, ...[...store.keys()].filter((step) => step <= at));
    trainer = await create(how === 'killed' ? store.get(newest) : kept);
  }
  await go(trainer);
  const end = await trainer.checkpoint();
  const files = write(end);
  trainer.dispose();
  return {
    files: digests(files),
    state: end.state,
    values: end.values,
    checkpoints: new Map([...store].map(([step, stored]) => [step, read(stored).values])),
  };
}

function digests(files: CheckpointFiles): Record<string, string> {
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  return Object.fromEntries([...files].map(([name, bytes]) => [name, digest(bytes)]));
}
