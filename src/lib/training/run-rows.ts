/** The rows of a run: checked against the model, packed where that is asked. Pure. */
import { ConfigError, evaluatesItself } from '../config';
import { checkRows, longestRow, type TokenRow } from './batches';
import { TrainingError } from './errors';
import { packRows } from './packing';
import type { TrainerOptions } from './run-options';

/**
 * Rows to train on: as they are, or put together.
 * @throws TrainingError `no-rows`, `no-targets`, `too-long`, `wrong-token`; ConfigError
 */
export function trainedRows(options: TrainerOptions): readonly TokenRow[] {
  const { rows, args, peft, config } = options;
  checkRows(rows, config.vocabSize, allowedPositions(options));
  if (!args.packing) return rows;
  if (peft.peft_type === 'PREFIX_TUNING')
    throw new ConfigError(
      'unsupported-option',
      'training arguments: packing is true, which prefix tuning does not go with: each sequence of a row would need the prefix anew. Set packing to false.',
      { details: { field: 'packing' } },
    );
  const allowed = Math.min(args.max_length, allowedPositions(options));
  return packRows(rows, Math.max(longestRow(rows), allowed));
}

/** Positions that are left to a row's own tokens. */
function allowedPositions({ peft, config }: TrainerOptions): number {
  const prefix = peft.peft_type === 'PREFIX_TUNING' ? peft.num_virtual_tokens : 0;
  return config.maxPositionEmbeddings - prefix;
}

/** Rows to evaluate on in the run, none where it does not. @throws TrainingError `no-eval-rows` and as above */
export function evaluatedRows(options: TrainerOptions): readonly TokenRow[] {
  const { args, evalRows = [], config } = options;
  if (!evaluatesItself(args)) return [];
  if (evalRows.length === 0)
    throw new TrainingError(
      'no-eval-rows',
      `eval_strategy is ${args.eval_strategy}, but no row is held back to evaluate on. Hold some back, or set eval_strategy to no.`,
    );
  checkRows(evalRows, config.vocabSize, allowedPositions(options));
  return evalRows;
}
