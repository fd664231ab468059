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

/** Bytes of the checkpoints that are kept at the end, within a few per cent; the newest alone has moments. */
export function predictStorage(
  peft: PeftConfig,
  model: AdaptedModel,
  args: TrainingArguments,
  { totalSteps, stepsPerEpoch }: RunShape,
): number {
  const evaluated = args.eval_strategy === 'epoch' ? stepsPerEpoch : evalStepsOf(args);
  const every = {
    epoch: stepsPerEpoch,
    steps: stepsOf(args.save_steps, totalSteps),
    best: stepsOf(evaluated, totalSteps),
    no: totalSteps,
  }[args.save_strategy];
  const written = Math.max(1, Math.ceil(totalSteps / every));
  const kept = Math.min(written, args.save_total_limit ?? Infinity);
  const { parameters, trainableCount } = keptLayout(peft, model);
  const headers = parameters.reduce((sum, { key }) => sum + key.length + HEADER_ENTRY_BYTES, 0);
  const log = LOG_ENTRY_BYTES * Math.ceil(totalSteps / stepsOf(args.logging_steps, totalSteps));
  const adapter = 4 * trainableCount + headers + log + TEXT_BYTES;
  const moments = (has8bitMoments(args) ? 2 : 8) * layoutAdapter(model, peft).flatCount;
  return kept * adapter + moments;
}
