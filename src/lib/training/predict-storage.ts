/** Disk space that the checkpoints of a run will take, told before it starts. */
import { evalStepsOf, has8bitMoments, type PeftConfig, type TrainingArguments } from '../config';
import { layoutAdapter, type AdaptedModel } from '../peft';
import { keptLayout } from './adapter-of';
import { stepsOf } from './flow';
import type { RunShape } from './progress';

/** Of a tensor's entry in a safetensors header, beside its key; of a log entry; of what else is text. */
const HEADER_ENTRY_BYTES = 64;
const LOG_ENTRY_BYTES = 170;
const TEXT_BYTES = 1300;

/** Bytes. */
export interface RunStorage {
  /** What is left at the end: the checkpoints that are kept, of which the newest alone has moments. */
  readonly kept: number;
  /** While a checkpoint is being saved: it is complete before an older one, and the older moments, go. */
  readonly peak: number;
  /** The same where the run was saved between its checkpoints, as a long one is, and one that is paused. */
  readonly peakWithResumePoint: number;
  /** What each checkpoint that is kept adds to both peaks. */
  readonly perCheckpoint: number;
  /** Checkpoints, no bytes: how many are there while one more is saved, and the fewest that a limit makes of them. */
  readonly keptBefore: number;
  readonly keptBeforeAtLeast: number;
}

/** Of `best` the least: it saves after some of the evaluations. */
export function stepsBetweenSaves(
  args: TrainingArguments,
  { totalSteps, stepsPerEpoch }: RunShape,
): number {
  const evaluated = args.eval_strategy === 'epoch' ? stepsPerEpoch : evalStepsOf(args);
  return {
    epoch: stepsPerEpoch,
    steps: stepsOf(args.save_steps, totalSteps),
    best: stepsOf(evaluated, totalSteps),
    no: totalSteps,
  }[args.save_strategy];
}

/** Within a few per cent. */
export function predictStorage(
  peft: PeftConfig,
  model: AdaptedModel,
  args: TrainingArguments,
  shape: RunShape,
): RunStorage {
  const { totalSteps } = shape;
  const written = Math.max(1, Math.ceil(totalSteps / stepsBetweenSaves(args, shape)));
  const limit = args.save_total_limit ?? Infinity;
  // The best is kept beside the newest, which it may be.
  const least = args.load_best_model_at_end ? 2 : 1;
  const most = Math.max(least, limit);
  const before = Math.min(written - 1, most);
  const { parameters, trainableCount } = keptLayout(peft, model);
  const headers = parameters.reduce((sum, { key }) => sum + key.length + HEADER_ENTRY_BYTES, 0);
  const log = LOG_ENTRY_BYTES * Math.ceil(totalSteps / stepsOf(args.logging_steps, totalSteps));
  const adapter = 4 * trainableCount + headers + log + TEXT_BYTES;
  const moments = (has8bitMoments(args) ? 2 : 8) * layoutAdapter(model, peft).flatCount;
  return {
    kept: Math.min(written, most) * adapter + moments,
    peak: (before + 1) * adapter + (before > 0 ? 2 : 1) * moments,
    peakWithResumePoint: (before + 2) * adapter + 2 * moments,
    perCheckpoint: adapter,
    keptBefore: before,
    keptBeforeAtLeast: Math.min(written - 1, least),
  };
}
