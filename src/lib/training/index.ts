export { TrainingError, type TrainingErrorCode } from './errors';
export { countTargets, IGNORED, type TokenRow } from './batches';
export { runShape, type RunShape } from './progress';
export { checkpointName, checkpointStep } from './best-model';
export { dueAfter, type Due } from './flow';
export { learningRateAt } from './schedule';
export { Trainer } from './trainer';
export type { Checkpoint, EvalReport, RunOptions, StepReport, TrainerOptions } from './run-options';
export { rowsShape, trainedShape, type OutlineOptions, type RowsShape } from './outline-trainer';
export { predictMemory, type RunMemory } from './predict-memory';
export { compileAhead, type CompileAheadOptions } from './compile-ahead';
export {
  findFit,
  withChange,
  writeFitChange,
  type FitChange,
  type FitSettings,
} from './fit-change';
export { predictStorage, stepsBetweenSaves, type RunStorage } from './predict-storage';
export {
  allowedAfterFailure,
  fitWithin,
  suggestFit,
  withSuggestion,
  type FitOptions,
} from './suggest-fit';
export {
  measureRates,
  runLoad,
  runTime,
  type MeasuredRates,
  type Measurement,
  type MeasureOptions,
  type MeasuredStep,
  type RunLoad,
  type RunTime,
} from './predict-time';
export { evaluateLoss, type LossReport } from './evaluate-loss';
export { adapterOf, keptConfig } from './adapter-of';
export { lengthHistogram, type LengthBin, type LengthHistogram } from './length-histogram';
export { surplusCheckpoints } from './checkpoint-rotation';
export { isResumePointDue, RESUME_POINT_MS } from './resume-point-schedule';
export {
  CHECKPOINT_FILES,
  OPTIMIZER_FILE,
  readCheckpoint,
  readCheckpointValues,
  writeCheckpoint,
  type CheckpointFiles,
} from './checkpoint-files';
export { summarize } from './train-summary';
export {
  parseTrainerState,
  TRAINER_STATE_FILE,
  writeTrainerState,
  type EvalLogEntry,
  type EvalMetrics,
  type LogEntry,
  type StepLogEntry,
  type SummaryLogEntry,
  type TrainerState,
} from './trainer-state';
