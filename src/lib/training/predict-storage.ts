/** Disk space that the checkpoints of a run will take, told before it starts. */
import type { TrainingArguments } from '../config';
import type { AdapterLayout } from '../peft';
import type { RunShape } from './progress';

/** Of a tensor's entry in a safetensors header, beside its key; of a log entry; of what else is text. */
const HEADER_ENTRY_BYTES = 64;
const LOG_ENTRY_BYTES = 170;
const TEXT_BYTES = 2200;

/** Bytes of the checkpoints that are kept at the end, within a few per cent; the newest alone has moments. */
export function predictStorage(
  layout: AdapterLayout,
  args: TrainingArguments,
  { totalSteps, stepsPerEpoch }: RunShape,
): number {
  const every = { epoch: stepsPerEpoch, steps: args.save_steps, no: totalSteps }[
    args.save_strategy
  ];
  const written = Math.max(1, Math.ceil(totalSteps / every));
  const kept = Math.min(written, args.save_total_limit ?? Infinity);
  const headers = layout.parameters.reduce(
    (sum, { key }) => sum + key.length + HEADER_ENTRY_BYTES,
    0,
  );
  const log = LOG_ENTRY_BYTES * Math.ceil(totalSteps / args.logging_steps);
  const adapter = 4 * layout.trainableCount + headers + log + TEXT_BYTES;
  const moments = 2 * 4 * layout.flatCount;
  return kept * adapter + moments;
}
