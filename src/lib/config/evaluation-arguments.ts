/**
 * When a run evaluates, logs and saves, what its best checkpoint is and when it stops early:
 * transformers' `TrainingArguments` and `EarlyStoppingCallback`, with their names and defaults.
 */
import { ConfigError } from './errors';
import type { Fields } from './fields';

export const EVAL_STRATEGIES = ['no', 'steps', 'epoch'] as const;
export type EvalStrategy = (typeof EVAL_STRATEGIES)[number];
export const SAVE_STRATEGIES = ['epoch', 'steps', 'no', 'best'] as const;
export type SaveStrategy = (typeof SAVE_STRATEGIES)[number];
/** What an evaluation finds, by the Trainer's and TRL's names; a name means the same with and without `eval_`. */
export const METRICS = [
  ...(['loss', 'eval_loss', 'mean_token_accuracy', 'eval_mean_token_accuracy'] as const),
] as const;
export type MetricName = (typeof METRICS)[number];

export interface EvaluationArguments {
  eval_strategy: EvalStrategy;
  /** `logging_steps` at null. Below 1 these three numbers of steps are a share of all steps. */
  eval_steps: number | null;
  eval_on_start: boolean;
  per_device_eval_batch_size: number;
  logging_strategy: EvalStrategy;
  logging_steps: number;
  logging_first_step: boolean;
  /** `epoch`: a checkpoint at each epoch's end; `steps`: every `save_steps`; `best`: whenever the metric is the best so far; `no`: none of these. The end of a run leaves one in any case. */
  save_strategy: SaveStrategy;
  save_steps: number;
  /** Checkpoints kept of a run, the oldest go first, the best never; null keeps all. */
  save_total_limit: number | null;
  /** The run ends with the parameters of its best checkpoint. */
  load_best_model_at_end: boolean;
  /** Over the rows held back. Null: the loss, where anything needs one. */
  metric_for_best_model: MetricName | null;
  /** Null: true unless the metric's name ends in `loss`. */
  greater_is_better: boolean | null;
  /** Evaluations without improvement after which the run stops; null never stops it. */
  early_stopping_patience: number | null;
  /** What counts as an improvement must be larger than this. */
  early_stopping_threshold: number;
}

export const DEFAULT_EVALUATION_ARGUMENTS: EvaluationArguments = {
  eval_strategy: 'no',
  eval_steps: null,
  eval_on_start: false,
  per_device_eval_batch_size: 8,
  logging_strategy: 'steps',
  logging_steps: 500,
  logging_first_step: false,
  save_strategy: 'steps',
  save_steps: 500,
  save_total_limit: null,
  load_best_model_at_end: false,
  metric_for_best_model: null,
  greater_is_better: null,
  early_stopping_patience: null,
  early_stopping_threshold: 0,
};

/** @throws ConfigError naming the field, what was found and what is allowed */
export function readEvaluationArguments(
  fields: Fields,
  defaults: EvaluationArguments,
): EvaluationArguments {
  const whole = { min: 1, max: 1e9 };
  const flag = (name: keyof EvaluationArguments & `${string}`, fallback: boolean) =>
    fields.boolean(name, fallback);
  const strategy = (name: string, fallback: EvalStrategy) =>
    fields.oneOf(name, EVAL_STRATEGIES, fallback);
  const optional = <Value>(name: string, fallback: Value | null, read: () => Value) =>
    fields.has(name) ? read() : fallback;
  const args: EvaluationArguments = {
    eval_strategy: strategy('eval_strategy', defaults.eval_strategy),
    // The Trainer reads 0 as nothing.
    eval_steps: optional('eval_steps', defaults.eval_steps, () =>
      fields.value('eval_steps') === 0 ? null : readSteps(fields, 'eval_steps', 1),
    ),
    eval_on_start: flag('eval_on_start', defaults.eval_on_start),
    per_device_eval_batch_size: fields.integer(
      'per_device_eval_batch_size',
      defaults.per_device_eval_batch_size,
      whole,
    ),
    logging_strategy: strategy('logging_strategy', defaults.logging_strategy),
    logging_steps: readSteps(fields, 'logging_steps', defaults.logging_steps),
    logging_first_step: flag('logging_first_step', defaults.logging_first_step),
    save_strategy: fields.oneOf('save_strategy', SAVE_STRATEGIES, defaults.save_strategy),
    save_steps: readSteps(fields, 'save_steps', defaults.save_steps),
    save_total_limit: optional('save_total_limit', defaults.save_total_limit, () =>
      readLimit(fields),
    ),
    load_best_model_at_end: flag('load_best_model_at_end', defaults.load_best_model_at_end),
    metric_for_best_model: optional('metric_for_best_model', defaults.metric_for_best_model, () =>
      fields.oneOf('metric_for_best_model', METRICS, undefined),
    ),
    greater_is_better: optional('greater_is_better', defaults.greater_is_better, () =>
      fields.boolean('greater_is_better', false),
    ),
    early_stopping_patience: optional(
      'early_stopping_patience',
      defaults.early_stopping_patience,
      () => fields.integer('early_stopping_patience', undefined, whole),
    ),
    early_stopping_threshold: fields.number(
      'early_stopping_threshold',
      defaults.early_stopping_threshold,
      { min: 0, max: 1e6 },
    ),
  };
  requireConsistentEvaluation(args, fields.fileName);
  return args;
}

/** A number of steps, or below 1 a share of all. */
function readSteps(fields: Fields, name: string, fallback: number): number {
  const value = fields.number(name, fallback, { min: 0, max: 1e9 });
  if (value === 0 || (value > 1 && !Number.isSafeInteger(value)))
    throw fields.wrong(
      name,
      value,
      'a whole number from 1, or a share of all steps between 0 and 1',
      { needs: 'steps' },
    );
  return value;
}

/** The Trainer reads 0 and less as no limit. */
function readLimit(fields: Fields): number | null {
  const limit = fields.integer('save_total_limit', undefined, { max: 1e9 });
  return limit > 0 ? limit : null;
}

/** Whether the best value of the metric is followed at all. */
export function followsBest(args: EvaluationArguments): boolean {
  return (
    args.metric_for_best_model !== null ||
    args.load_best_model_at_end ||
    args.save_strategy === 'best' ||
    args.early_stopping_patience !== null
  );
}

/** By what evaluations are compared, and which way, as the Trainer fills in what is left open. */
export function bestMetricOf({
  metric_for_best_model,
  greater_is_better,
}: Pick<EvaluationArguments, 'metric_for_best_model' | 'greater_is_better'>) {
  const name = metric_for_best_model ?? 'loss';
  return {
    name: name.endsWith('loss') ? ('eval_loss' as const) : ('eval_mean_token_accuracy' as const),
    greaterIsBetter: greater_is_better ?? !name.endsWith('loss'),
  };
}

/** `eval_steps`, or what stands in for it. */
export function evalStepsOf(args: EvaluationArguments): number {
  return args.eval_steps ?? args.logging_steps;
}

/**
 * What the Trainer refuses of these arguments together.
 * @throws ConfigError `out-of-range`
 */
export function requireConsistentEvaluation(args: EvaluationArguments, fileName: string): void {
  const refuse = (field: keyof EvaluationArguments, sentence: string) => {
    throw new ConfigError('out-of-range', `${fileName}: ${sentence}`, {
      details: { fileName, field, found: String(args[field]) },
    });
  };
  const { eval_strategy, save_strategy } = args;
  if (eval_strategy === 'no') {
    const needs = (['load_best_model_at_end', 'early_stopping_patience'] as const).find(
      (name) => args[name] !== false && args[name] !== null,
    );
    if (needs) refuse(needs, `${needs} needs an eval_strategy of steps or epoch, it is no.`);
    if (save_strategy === 'best')
      refuse(
        'save_strategy',
        'save_strategy best needs an eval_strategy of steps or epoch, it is no.',
      );
  }
  if (!args.load_best_model_at_end || save_strategy === 'best') return;
  if (save_strategy !== eval_strategy)
    refuse(
      'save_strategy',
      `load_best_model_at_end needs save_strategy (${save_strategy}) to be best or the same as eval_strategy (${eval_strategy}).`,
    );
  const every = evalStepsOf(args);
  if (eval_strategy === 'steps' && !isMultiple(args.save_steps, every))
    refuse(
      'save_steps',
      `load_best_model_at_end needs save_steps (${args.save_steps}) to be a multiple of eval_steps (${every}).`,
    );
}

/** Of shares, at the Trainer's precision of a millionth; a share and a number of steps never. */
function isMultiple(saveSteps: number, evalSteps: number): boolean {
  if (saveSteps < 1 !== evalSteps < 1) return false;
  const scale = saveSteps < 1 ? 1e6 : 1;
  return Math.round(saveSteps * scale) % Math.round(evalSteps * scale) === 0;
}

/** Whether a run evaluates itself at all. */
export const evaluatesItself = ({
  eval_strategy,
  eval_on_start,
}: Pick<EvaluationArguments, 'eval_strategy' | 'eval_on_start'>): boolean =>
  eval_strategy !== 'no' || eval_on_start;
