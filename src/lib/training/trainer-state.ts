/** `trainer_state.json` as transformers' Trainer writes it, so that its readers understand our runs. */
import { isJsonObject, parseJsonObject, type JsonObject, type TrainingArguments } from '../config';
import { Fields } from '../config/fields';
import { stepsOf } from './flow';

export const TRAINER_STATE_FILE = 'trainer_state.json';

/** Means since the last entry of its kind; the norm and the rate are the last step's. */
export interface StepLogEntry {
  epoch: number;
  grad_norm: number;
  learning_rate: number;
  loss: number;
  step: number;
}

/** What an evaluation finds, over the rows held back. */
export interface EvalMetrics {
  eval_loss: number;
  /** TRL's name: share of the targets whose logit is the largest. */
  eval_mean_token_accuracy: number;
}

export interface EvalLogEntry {
  epoch: number;
  eval_loss: number;
  /** Undefined in states of older versions, and of the Trainer without TRL. */
  eval_mean_token_accuracy?: number;
  step: number;
}

/** The last word of the Trainer's `train()`, in the state of a whole run; a checkpoint's own has none. */
export interface SummaryLogEntry {
  epoch: number;
  step: number;
  total_flos: number;
  /** Mean over all steps. */
  train_loss: number;
  /** Seconds. */
  train_runtime: number;
  train_steps_per_second: number;
}

export type LogEntry = StepLogEntry | EvalLogEntry | SummaryLogEntry;

export interface TrainerState {
  best_global_step: number | null;
  best_metric: number | null;
  /** Folder of the checkpoint, such as `run/checkpoint-40`. */
  best_model_checkpoint: string | null;
  epoch: number;
  global_step: number;
  max_steps: number;
  num_train_epochs: number;
  train_batch_size: number;
  logging_steps: number;
  eval_steps: number;
  save_steps: number;
  num_input_tokens_seen: number;
  log_history: LogEntry[];
  /** The Trainer's own form. `should_evaluate` is an evaluation that a stop left undone. */
  stateful_callbacks: {
    TrainerControl: {
      args: {
        should_epoch_stop: boolean;
        should_evaluate: boolean;
        should_log: boolean;
        should_save: boolean;
        should_training_stop: boolean;
      };
      attributes: Record<string, never>;
    };
    EarlyStoppingCallback?: {
      args: { early_stopping_patience: number; early_stopping_threshold: number };
      attributes: { early_stopping_patience_counter: number };
    };
  };
}

export function writeTrainerState(state: TrainerState): string {
  const all = {
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    total_flos: 0,
    trial_name: null,
    trial_params: null,
    ...state,
  };
  return `${JSON.stringify(sorted(all), undefined, 2)}\n`;
}

/** Keys in order at every depth. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

/** @throws ConfigError `not-json`, `missing-field`, `wrong-type`, `out-of-range` */
export function parseTrainerState(text: string): TrainerState {
  const fields = new Fields(parseJsonObject(text, TRAINER_STATE_FILE), TRAINER_STATE_FILE);
  const history = fields.object.log_history;
  if (!Array.isArray(history)) throw fields.wrong('log_history', history, 'a list');
  const count = (name: string, fallback?: number) => fields.integer(name, fallback, { min: 0 });
  const has = (name: string) => fields.has(name);
  return {
    best_global_step: has('best_global_step') ? count('best_global_step') : null,
    best_metric: has('best_metric') ? fields.number('best_metric', undefined) : null,
    best_model_checkpoint: has('best_model_checkpoint')
      ? fields.text('best_model_checkpoint', undefined)
      : null,
    epoch: fields.number('epoch', undefined, { min: 0 }),
    global_step: count('global_step'),
    max_steps: count('max_steps'),
    num_train_epochs: fields.number('num_train_epochs', undefined, { min: 0 }),
    train_batch_size: count('train_batch_size'),
    logging_steps: count('logging_steps'),
    eval_steps: count('eval_steps', 500),
    save_steps: count('save_steps'),
    num_input_tokens_seen: count('num_input_tokens_seen'),
    log_history: history.map((entry: unknown, i) => readLogEntry(entry, i)),
    stateful_callbacks: readCallbacks(fields.object.stateful_callbacks),
  };
}

function readLogEntry(entry: unknown, i: number): LogEntry {
  const fields = new Fields(
    isJsonObject(entry) ? entry : {},
    `${TRAINER_STATE_FILE} (log ${i + 1})`,
  );
  const number = (name: string) => fields.number(name, undefined);
  const place = { epoch: number('epoch'), step: fields.integer('step', undefined, { min: 0 }) };
  if (fields.has('eval_loss')) {
    const accuracy = 'eval_mean_token_accuracy';
    const more = fields.has(accuracy) && { [accuracy]: number(accuracy) };
    return { ...place, eval_loss: number('eval_loss'), ...more };
  }
  if (fields.has('train_loss')) {
    const [total_flos, train_loss] = [number('total_flos'), number('train_loss')];
    const train_runtime = number('train_runtime');
    const train_steps_per_second = number('train_steps_per_second');
    return { ...place, total_flos, train_loss, train_runtime, train_steps_per_second };
  }
  return {
    ...place,
    grad_norm: number('grad_norm'),
    learning_rate: number('learning_rate'),
    loss: number('loss'),
  };
}

/** What is missing or of another kind is as at the start of a run. */
function readCallbacks(found: unknown): TrainerState['stateful_callbacks'] {
  const at = (value: unknown, ...path: string[]) =>
    path.reduce<unknown>((inner, key) => (inner as JsonObject | undefined)?.[key], value);
  const owesEvaluation = at(found, 'TrainerControl', 'args', 'should_evaluate') === true;
  const early = at(found, 'EarlyStoppingCallback');
  const number = (...path: string[]) => Number(at(early, ...path)) || 0;
  return {
    TrainerControl: control({ should_evaluate: owesEvaluation }),
    ...(isJsonObject(early) && {
      EarlyStoppingCallback: {
        args: {
          early_stopping_patience: number('args', 'early_stopping_patience'),
          early_stopping_threshold: number('args', 'early_stopping_threshold'),
        },
        attributes: {
          early_stopping_patience_counter: number('attributes', 'early_stopping_patience_counter'),
        },
      },
    }),
  };
}

type Control = TrainerState['stateful_callbacks']['TrainerControl'];

export function control(changes: Partial<Control['args']>): Control {
  return {
    args: {
      should_epoch_stop: false,
      should_evaluate: false,
      should_log: false,
      should_save: false,
      should_training_stop: false,
      ...changes,
    },
    attributes: {},
  };
}

export function emptyTrainerState(
  args: TrainingArguments,
  totalSteps: number,
  stepsPerEpoch: number,
): TrainerState {
  const { early_stopping_patience, early_stopping_threshold } = args;
  // Without an eval_strategy the Trainer leaves its own default here.
  const evalSteps = args.eval_steps ?? (args.eval_strategy === 'steps' ? args.logging_steps : 500);
  return {
    best_global_step: null,
    best_metric: null,
    best_model_checkpoint: null,
    epoch: 0,
    global_step: 0,
    max_steps: totalSteps,
    num_train_epochs: Math.ceil(totalSteps / stepsPerEpoch),
    train_batch_size: args.per_device_train_batch_size,
    logging_steps: stepsOf(args.logging_steps, totalSteps),
    eval_steps: stepsOf(evalSteps, totalSteps),
    save_steps: stepsOf(args.save_steps, totalSteps),
    num_input_tokens_seen: 0,
    log_history: [],
    stateful_callbacks: {
      TrainerControl: control({}),
      ...(early_stopping_patience !== null && {
        EarlyStoppingCallback: {
          args: { early_stopping_patience, early_stopping_threshold },
          attributes: { early_stopping_patience_counter: 0 },
        },
      }),
    },
  };
}
