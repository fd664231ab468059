/** `trainer_state.json` as transformers' Trainer writes it, so that its readers understand our runs. */
import {
  ConfigError,
  isJsonObject,
  parseJsonObject,
  type JsonObject,
  type TrainingArguments,
} from '../config';
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

export interface EvalLogEntry {
  epoch: number;
  eval_loss: number;
  step: number;
}

export type LogEntry = StepLogEntry | EvalLogEntry;

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

/** @throws ConfigError `not-json`, `wrong-type` */
export function parseTrainerState(text: string): TrainerState {
  const object = parseJsonObject(text, TRAINER_STATE_FILE);
  const wrong = (name: string, needed: string) =>
    new ConfigError(
      'wrong-type',
      `${TRAINER_STATE_FILE}: ${name} is ${JSON.stringify(object[name])}, ${needed} is needed.`,
    );
  const number = (name: string, fallback?: number) => {
    const value = object[name] ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong(name, 'a number');
    return value;
  };
  const orNull = (name: string) => ((object[name] ?? null) === null ? null : number(name));
  const best = object.best_model_checkpoint ?? null;
  if (best !== null && typeof best !== 'string') throw wrong('best_model_checkpoint', 'a text');
  if (!Array.isArray(object.log_history))
    throw new ConfigError('wrong-type', `${TRAINER_STATE_FILE}: log_history is no list.`);
  return {
    best_global_step: orNull('best_global_step'),
    best_metric: orNull('best_metric'),
    best_model_checkpoint: best,
    epoch: number('epoch'),
    global_step: number('global_step'),
    max_steps: number('max_steps'),
    num_train_epochs: number('num_train_epochs'),
    train_batch_size: number('train_batch_size'),
    logging_steps: number('logging_steps'),
    eval_steps: number('eval_steps', 500),
    save_steps: number('save_steps'),
    num_input_tokens_seen: number('num_input_tokens_seen'),
    log_history: object.log_history as LogEntry[],
    stateful_callbacks: readCallbacks(object.stateful_callbacks),
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
