export { InkstoneError, ConfigError, type ConfigErrorCode } from './errors';
export { ropeFrequencies, ropeTables, type RopeTables } from './rope';
export { parseJsonObject, isJsonObject, type JsonObject } from './fields';
export {
  SUPPORTED_ARCHITECTURES,
  parseModelConfig,
  readModelConfig,
  type Architecture,
  type ModelConfig,
  type RopeConfig,
} from './model-config';
export {
  DEFAULT_LORA_CONFIG,
  LINEAR_MODULES,
  LORA_BIASES,
  loraScale,
  parseLoraConfig,
  readLoraConfig,
  type LinearModule,
  type LoraBias,
  type LoraConfig,
} from './lora-config';
export {
  EVAL_STRATEGIES,
  evalStepsOf,
  followsBest,
  requireConsistentEvaluation,
  SAVE_STRATEGIES,
  type EvaluationArguments,
  type EvalStrategy,
  type SaveStrategy,
} from './evaluation-arguments';
export {
  LR_SCHEDULER_TYPES,
  type LrSchedulerKwargs,
  type LrSchedulerType,
  type RampType,
} from './lr-schedules';
export {
  COMMON_RECIPE,
  DEFAULT_TRAINING_ARGUMENTS,
  readTrainingArguments,
  type TrainingArguments,
} from './training-arguments';
