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
export { evaluateLoss, type LossReport } from './evaluate-loss';
export { surplusCheckpoints } from './checkpoint-rotation';
export {
  CHECKPOINT_FILES,
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
