export { TrainingError, type TrainingErrorCode } from './errors';
export { countTargets, IGNORED, type TokenRow } from './batches';
export { runShape, type RunShape } from './progress';
export { learningRateAt } from './schedule';
export {
  Trainer,
  type Checkpoint,
  type RunOptions,
  type StepReport,
  type TrainerOptions,
} from './trainer';
export { predictMemory, type PredictMemoryOptions, type RunMemory } from './predict-memory';
export {
  findFit,
  withChange,
  writeFitChange,
  type FitChange,
  type FitSettings,
} from './fit-change';
export { predictStorage } from './predict-storage';
export { suggestFit } from './suggest-fit';
export { evaluateLoss, type LossReport } from './evaluate-loss';
export { adapterOf } from './adapter-of';
export { surplusCheckpoints } from './checkpoint-rotation';
export {
  CHECKPOINT_FILES,
  OPTIMIZER_FILE,
  readCheckpoint,
  writeCheckpoint,
  type CheckpointFiles,
} from './checkpoint-files';
export {
  TRAINER_STATE_FILE,
  writeTrainerState,
  type LogEntry,
  type TrainerState,
} from './trainer-state';
