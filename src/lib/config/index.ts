export { InkstoneError, ConfigError, type ConfigErrorCode } from './errors';
export { spellingsOf } from './aliases';
export { checkRecipe } from './check-recipe';
export { bearsLoss, type ChatMessage, type DatasetRow } from './dataset-row';
export { layerPath, linearSite, linearSites, type LinearSite } from './linear-sites';
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
  readLoraConfig,
  startsFromWeights,
  type LinearModule,
  type LoraBias,
  type LoraConfig,
  type InitLoraWeights,
} from './lora-config';
export {
  EVAL_STRATEGIES,
  evalStepsOf,
  evaluatesItself,
  followsBest,
  requireConsistentEvaluation,
  SAVE_STRATEGIES,
  type EvaluationArguments,
  type EvalStrategy,
  type SaveStrategy,
} from './evaluation-arguments';
export {
  LR_SCHEDULER_KWARGS,
  LR_SCHEDULER_TYPES,
  RAMP_TYPES,
  type LrSchedulerKwargs,
  type LrSchedulerType,
  type RampType,
} from './lr-schedules';
export { has8bitMoments, OPTIMIZERS, type OptimizerName } from './optimizers';
export {
  DEFAULT_IA3_CONFIG,
  DEFAULT_PREFIX_CONFIG,
  defaultPeftConfig,
  FULL_TUNING,
  parsePeftConfig,
  PEFT_TYPES,
  readPeftConfig,
  type FullTuningConfig,
  type Ia3Config,
  type PeftConfig,
  type PeftType,
  type PrefixTuningConfig,
} from './peft-config';
export {
  parseRecipeFile,
  readRecipe,
  writeRecipeFile,
  type RecipeFile,
  type UnusedSetting,
} from './recipe-file';
export {
  COMMON_RECIPE,
  DEFAULT_TRAINING_ARGUMENTS,
  readTrainingArguments,
  type TrainingArguments,
} from './training-arguments';
