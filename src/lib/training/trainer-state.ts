/** `trainer_state.json` as transformers' Trainer writes it, so that its readers understand our runs. */
import { isJsonObject, parseJsonObject, type TrainingArguments } from '../config';
import { Fields } from '../config/fields';

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

/** @throws ConfigError `not-json`, `missing-field`, `wrong-type`, `out-of-range` */
export function parseTrainerState(text: string): TrainerState {
  const fields = new Fields(parseJsonObject(text, TRAINER_STATE_FILE), TRAINER_STATE_FILE);
  const history = fields.object.log_history;
  if (!Array.isArray(history)) throw fields.wrong('log_history', history, 'a list');
  const count = (name: string) => fields.integer(name, undefined, { min: 0 });
  return {
    epoch: fields.number('epoch', undefined, { min: 0 }),
    global_step: count('global_step'),
    max_steps: count('max_steps'),
    num_train_epochs: fields.number('num_train_epochs', undefined, { min: 0 }),
    train_batch_size: count('train_batch_size'),
    logging_steps: count('logging_steps'),
    save_steps: count('save_steps'),
    num_input_tokens_seen: count('num_input_tokens_seen'),
    log_history: history.map((entry: unknown, i) => readLogEntry(entry, i)),
  };
}

function readLogEntry(entry: unknown, i: number): LogEntry {
  const fields = new Fields(
    isJsonObject(entry) ? entry : {},
    `${TRAINER_STATE_FILE} (log ${i + 1})`,
  );
  const number = (name: string) => fields.number(name, undefined);
  return {
    epoch: number('epoch'),
    grad_norm: number('grad_norm'),
    learning_rate: number('learning_rate'),
    loss: number('loss'),
    step: fields.integer('step', undefined, { min: 0 }),
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
