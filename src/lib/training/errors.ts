import { InkstoneError } from '../config/errors';

export type TrainingErrorCode =
  | 'no-rows'
  | 'no-eval-rows'
  | 'no-targets'
  | 'wrong-token'
  | 'answers-cut'
  | 'too-long'
  | 'diverged'
  | 'wrong-checkpoint'
  | 'no-f16';

export class TrainingError extends InkstoneError<TrainingErrorCode> {}
