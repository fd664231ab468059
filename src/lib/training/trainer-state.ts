/** `trainer_state.json` as transformers' Trainer writes it, so that its readers understand our runs. */
import { ConfigError, parseJsonObject, type TrainingArguments } from '../config';

export const TRAINER_STATE_FILE = 'trainer_state.json';

export interface LogEntry {
  epoch: number;
  grad_norm: number;
  learning_rate: number;
  loss: number;
  step: number;
}

export interface TrainerState {
  epoch: number;
  global_step: number;
  max_steps: number;
  num_train_epochs: number;
  train_batch_size: number;
  logging_steps: number;
  save_steps: number;
  num_input_tokens_seen: number;
  log_history: LogEntry[];
}

export function writeTrainerState(state: TrainerState): string {
  const all = {
    best_global_step: null,
    best_metric: null,
    best_model_checkpoint: null,
    eval_steps: 500,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    stateful_callbacks: {},
    total_flos: 0,
    trial_name: null,
    trial_params: null,
    ...state,
  };
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, undefined, 2)}\n`;
}

/** @throws ConfigError `not-json`, `wrong-type` */
export function parseTrainerState(text: string): TrainerState {
  const object = parseJsonObject(text, TRAINER_STATE_FILE);
  const number = (name: string) => {
    const value = object[name];
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw new ConfigError(
        'wrong-type',
        `${TRAINER_STATE_FILE}: ${name} is ${JSON.stringify(value)}, a number is needed.`,
      );
    return value;
  };
  if (!Array.isArray(object.log_history))
    throw new ConfigError('wrong-type', `${TRAINER_STATE_FILE}: log_history is no list.`);
  return {
    epoch: number('epoch'),
    global_step: number('global_step'),
    max_steps: number('max_steps'),
    num_train_epochs: number('num_train_epochs'),
    train_batch_size: number('train_batch_size'),
    logging_steps: number('logging_steps'),
    save_steps: number('save_steps'),
    num_input_tokens_seen: number('num_input_tokens_seen'),
    log_history: object.log_history as LogEntry[],
  };
}

export function emptyTrainerState(
  args: TrainingArguments,
  totalSteps: number,
  stepsPerEpoch: number,
): TrainerState {
  return {
    epoch: 0,
    global_step: 0,
    max_steps: totalSteps,
    num_train_epochs: Math.ceil(totalSteps / stepsPerEpoch),
    train_batch_size: args.per_device_train_batch_size,
    logging_steps: args.logging_steps,
    save_steps: args.save_steps,
    num_input_tokens_seen: 0,
    log_history: [],
  };
}
