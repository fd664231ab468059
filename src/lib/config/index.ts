export { InkstoneError, ConfigError, type ConfigErrorCode } from './errors';
export { spellingsOf } from './aliases';
export { parseSettingsObject, parseYamlObject, type YamlFlaw } from './recipe-yaml';
export { checkRecipe } from './check-recipe';
export { bearsLoss, type ChatMessage, type DatasetRow } from './dataset-row';
export { layerPath, linearSite, linearSites, type LinearSite } from './linear-sites';
export { isSampleLength, SAMPLE_TOKENS } from './sample-answers';
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
export { LAYER_OPTIONS, moduleList, type LayerOptions, type ModuleNames } from './layer-options';
export { LINEAR_MODULES, type LinearModule } from './linear-modules';
export { ModulePattern, newEffort, type Effort } from './module-pattern';
export { PatternFlaw } from './pattern-machine';
export {
  canStartAt,
  DEFAULT_LORA_CONFIG,
  isInitLoraWeights,
  LORA_BIASES,
  loraScale,
  readLoraConfig,
  startsFromWeights,
  type LoraBias,
  type LoraConfig,
  type InitLoraWeights,
} from './lora-config';
export {
  bestMetricOf,
  EVAL_STRATEGIES,
  evalStepsOf,
  evaluatesItself,
  followsBest,
  METRICS,
  requireConsistentEvaluation,
  SAVE_STRATEGIES,
  type EvaluationArguments,
  type EvalStrategy,
  type MetricName,
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
